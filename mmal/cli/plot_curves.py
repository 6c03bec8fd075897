"""Draw learning curves of several runs into one picture.

Means over seeds, and tests of differences, are in the report of ``mmal compare``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmal.errors import InputError, explained


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command.

    Args:
        prog: Name of the program in its usage.
    """
    parser = argparse.ArgumentParser(prog=prog, description='Learning curves of runs')
    parser.add_argument(
        'runs', nargs='+', help='work dirs of runs, or curve.json files that they left'
    )
    parser.add_argument('--out', default='curves.png', help='the picture')
    parser.add_argument('--metric', help='name of the metric; mAP or accuracy by default')
    parser.add_argument(
        '--x',
        nargs='+',
        choices=['images', 'boxes', 'seconds'],
        default=['images', 'boxes'],
        help='a panel each: over labeled images, labeled boxes, or seconds of computing so far',
    )
    parser.add_argument(
        '--legend', nargs='+', help='a name for each run; the last two parts of its path by default'
    )
    return parser


def plot_curves(
    runs: list[str], legend: list[str] | None, metric: str | None, x: list[str], out: str
) -> str:
    """Draw the learning curves of some runs.

    Args:
        runs: Work directories of the runs, or their ``curve.json`` files.
        legend: One name per run. None: the last two parts of its path.
        metric: Name of the metric. None: mAP or accuracy.
        x: Horizontal axes, one panel each: 'images', 'boxes' or 'seconds'.
        out: Path of the picture.

    Returns:
        Name of the metric that was drawn.

    Raises:
        InputError: If two names are equal, a run has no finished round, or no run has the metric.
    """
    from mmal.fileio.atomic import write_bytes
    from mmal.reporting.learning_curve import draw_learning_curves
    from mmal.run.history import main_metric, read_curve

    names = legend or ['/'.join(Path(run).resolve().parts[-2:]) for run in runs]
    curves = {name: read_curve(run) for name, run in zip(names, runs, strict=True)}
    if len(curves) < len(names):
        raise InputError('--legend: expected names that differ, one a run.')
    points = [point for curve in curves.values() for point in curve]
    # A dict keeps the order in which the metrics first appear.
    known = {name: None for point in points for name in point['metrics']}
    chosen = metric or main_metric(points)
    if chosen is None or chosen not in known:
        raise InputError(
            f'--metric: no run has {chosen!r}; found {", ".join(known) or "no metric at all"}.'
        )
    write_bytes(out, draw_learning_curves(curves, chosen, x))
    return chosen


def main(argv: Sequence[str] | None = None, prog: str = 'mmal plot-curves') -> None:
    """Draw learning curves of several runs into one picture.

    Args:
        argv: Arguments of the command. Defaults to None: those of this process.
        prog: Name of the program in its messages.

    Raises:
        SystemExit: If the arguments do not fit together, or a run or the metric is missing.
    """
    parser = build_parser(prog)
    args = parser.parse_args(argv)
    if args.legend and len(args.legend) != len(args.runs):
        parser.error(
            f'--legend: expected a name for each of the {len(args.runs)} runs, '
            f'found {len(args.legend)}'
        )
    with explained(prog):
        metric = plot_curves(args.runs, args.legend, args.metric, args.x, args.out)
        print(f'{metric} of {len(args.runs)} runs: {args.out}')


if __name__ == '__main__':
    main()
