"""Write what a run chose as COCO files, for FiftyOne and others; see docs/tools.md."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmal.errors import explained


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command.

    Args:
        prog: Name of the program in its usage.
    """
    parser = argparse.ArgumentParser(
        prog=prog, description='The chosen images as COCO files, with their scores as attributes'
    )
    parser.add_argument('work_dir', help='the work dir of a run')
    parser.add_argument(
        '--round', type=int, help='number of the round; all finished ones by default'
    )
    parser.add_argument('--output-dir', help='where to write; coco/ in the work dir by default')
    return parser


def main(argv: Sequence[str] | None = None, prog: str = 'mmal export-coco') -> None:
    """Write ``labels.json`` and ``predictions.json``.

    Args:
        argv: Arguments of the command. Defaults to None: those of this process.
        prog: Name of the program in its messages.

    Raises:
        SystemExit: If the folder holds no finished round, or a file cannot be written.
    """
    args = build_parser(prog).parse_args(argv)
    from mmal.fileio.text import write_json
    from mmal.reporting.coco_export import as_coco
    from mmal.reporting.finished_round import SavedRound
    from mmal.run.saved_run import closed_rounds

    with explained(prog):
        numbers = closed_rounds(args.work_dir) if args.round is None else [args.round]
        # All rounds share the config and the data, which are read once.
        first = SavedRound(args.work_dir, numbers[0])
        rounds = (SavedRound(args.work_dir, n, first.cfg, first.data) for n in numbers)
        labels, predictions = as_coco(rounds)
        out = Path(args.output_dir or Path(args.work_dir) / 'coco')
        write_json(out / 'labels.json', labels)
        write_json(out / 'predictions.json', predictions)
        print(
            f'{len(labels["images"])} images, {len(labels["annotations"])} boxes and '
            f'{len(predictions["annotations"])} predicted ones: '
            f'{out}/labels.json and predictions.json'
        )


if __name__ == '__main__':
    main()
