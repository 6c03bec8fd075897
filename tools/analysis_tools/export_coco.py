"""Write what a run chose as COCO files, labels.json and predictions.json, for FiftyOne and others; docs/tools.md."""

import argparse
from pathlib import Path

from mmal.errors import explained


def parse_args():
    parser = argparse.ArgumentParser(
        description='The chosen images as COCO files, with their scores as attributes'
    )
    parser.add_argument('work_dir', help='the work dir of a run')
    parser.add_argument(
        '--round', type=int, help='number of the round; all finished ones by default'
    )
    parser.add_argument('--output-dir', help='where to write; coco/ in the work dir by default')
    return parser.parse_args()


def main():
    args = parse_args()
    from mmal.fileio.text import write_json
    from mmal.reporting.coco_export import as_coco
    from mmal.reporting.finished_round import SavedRound
    from mmal.run.saved_run import closed_rounds

    with explained('export_coco.py'):
        first = SavedRound(
            args.work_dir, closed_rounds(args.work_dir)[0] if args.round is None else args.round
        )
        numbers = closed_rounds(args.work_dir) if args.round is None else [args.round]
        labels, predictions = as_coco(
            SavedRound(args.work_dir, n, first.cfg, first.data) for n in numbers
        )
        out = Path(args.output_dir or Path(args.work_dir) / 'coco')
        for name, content in (('labels', labels), ('predictions', predictions)):
            write_json(out / f'{name}.json', content)
        print(
            f'{len(labels["images"])} images, {len(labels["annotations"])} boxes and '
            f'{len(predictions["annotations"])} predicted ones: {out}/labels.json and predictions.json'
        )


if __name__ == '__main__':
    main()
