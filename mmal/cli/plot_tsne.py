"""Draw the pool of a run by t-SNE of a round's features, as in Figure 5 of the paper.

What the round chose is marked.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from mmal.errors import explained


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command.

    Args:
        prog: Name of the program in its usage.
    """
    parser = argparse.ArgumentParser(
        prog=prog, description='t-SNE of the pool, with the chosen images marked'
    )
    parser.add_argument('work_dir', help='the work dir of a run')
    parser.add_argument('--round', type=int, default=0, help='number of the round')
    parser.add_argument(
        '--layers',
        nargs='+',
        help='modules whose outputs are the features; what goes into the last layers by default',
    )
    parser.add_argument(
        '--most',
        type=int,
        default=5000,
        help='images embedded at most: all that were chosen, and a random part of the others',
    )
    parser.add_argument('--out', help='the picture; round_XX/tsne.png in the work dir by default')
    return parser


def main(argv: Sequence[str] | None = None, prog: str = 'mmal plot-tsne') -> None:
    """Compute the features of the pool and draw them in two dimensions.

    Args:
        argv: Arguments of the command. Defaults to None: those of this process.
        prog: Name of the program in its messages.

    Raises:
        SystemExit: If the folder holds no run, or the round is not finished.
    """
    args = build_parser(prog).parse_args(argv)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    from mmal.engine.pool_features import pool_features
    from mmal.fileio.atomic import write_bytes
    from mmal.reporting.finished_round import SavedRound
    from mmal.reporting.tsne import draw_tsne, embed

    with explained(prog):
        saved = SavedRound(args.work_dir, args.round)
        ids, features, classes = pool_features(saved, args.layers, logging.getLogger())
    selected = set(saved.selected)
    is_chosen = [image_id in selected for image_id in ids]
    chosen_rows = [row for row, chosen in enumerate(is_chosen) if chosen]
    rows, positions = embed(features, most=args.most, kept=chosen_rows)
    title = f'{Path(args.work_dir).name}, round {args.round}: classes as the model predicts them'
    picture = draw_tsne(
        positions,
        [classes[row] for row in rows],
        [is_chosen[row] for row in rows],
        title,
        len(ids),
    )
    out = Path(args.out or saved.paths.folder / 'tsne.png')
    write_bytes(out, picture)
    print(f'{len(rows)} of {len(ids)} images: {out}')


if __name__ == '__main__':
    main()
