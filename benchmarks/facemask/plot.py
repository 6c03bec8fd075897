"""Draw the learning curves of several runs into one picture."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmal.fileio.atomic import write_bytes
from mmal.reporting.learning_curve import draw_learning_curves
from mmal.run.history import main_metric, read_curve


def main() -> None:
    """Draw what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path, help='PNG to write')
    parser.add_argument(
        'curves', nargs='+', metavar='NAME=curve.json', help='runs, each with the name to show'
    )
    args = parser.parse_args()
    curves = {}
    for argument in args.curves:
        name, path = argument.split('=', 1)
        curves[name] = read_curve(path)
    first_curve = next(iter(curves.values()))
    metric = main_metric(first_curve)
    if metric is None:
        parser.error('the first run has no metric')
    write_bytes(args.out, draw_learning_curves(curves, metric))


if __name__ == '__main__':
    main()
