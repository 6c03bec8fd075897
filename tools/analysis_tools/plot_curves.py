"""Draw learning curves of several runs into one picture. For means over seeds and tests there is al_compare.py."""

import argparse
from pathlib import Path

from mmal.errors import InputError, explained


def parse_args():
    parser = argparse.ArgumentParser(description='Learning curves of runs')
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
    args = parser.parse_args()
    if args.legend and len(args.legend) != len(args.runs):
        parser.error(
            f'--legend: expected a name for each of the {len(args.runs)} runs, found {len(args.legend)}'
        )
    return args


def main():
    args = parse_args()
    from mmal.fileio.atomic import write_bytes
    from mmal.reporting.learning_curve import draw_learning_curves
    from mmal.run.history import main_metric, read_curve

    with explained('plot_curves.py'):
        names = args.legend or ['/'.join(Path(run).resolve().parts[-2:]) for run in args.runs]
        curves = {name: read_curve(run) for name, run in zip(names, args.runs, strict=True)}
        if len(curves) < len(names):
            raise InputError('--legend: expected names that differ, one a run.')
        found = list(
            dict.fromkeys(m for curve in curves.values() for p in curve for m in p['metrics'])
        )
        metric = args.metric or main_metric([p for curve in curves.values() for p in curve])
        if metric not in found:
            raise InputError(
                f'--metric: no run has {metric!r}; found {", ".join(found) or "no metric at all"}.'
            )
        write_bytes(args.out, draw_learning_curves(curves, metric, args.x))
        print(f'{metric} of {len(curves)} runs: {args.out}')


if __name__ == '__main__':
    main()
