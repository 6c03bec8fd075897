"""Draw the learning curves of several runs into one picture."""

import argparse
from pathlib import Path

from mmal.fileio.atomic import write_bytes
from mmal.fileio.text import read_json
from mmal.reporting.learning_curve import draw_learning_curves
from mmal.run.history import main_metric


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path, help='PNG to write')
    parser.add_argument(
        'curves', nargs='+', metavar='NAME=curve.json', help='runs, each with the name to show'
    )
    args = parser.parse_args()
    curves = {name: read_json(path) for name, path in (c.split('=', 1) for c in args.curves)}
    write_bytes(args.out, draw_learning_curves(curves, main_metric(next(iter(curves.values())))))


if __name__ == '__main__':
    main()
