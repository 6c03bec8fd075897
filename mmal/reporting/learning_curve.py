"""The learning curve: ``curve.json``, ``curve.csv`` and ``curve.png`` from the round folders."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from mmal.fileio.atomic import write_bytes
from mmal.fileio.text import write_csv, write_json
from mmal.run.history import main_metric, read_points
from mmal.run.layout import PHASES


def write_curve(work_dir: str | Path, title: str) -> list[dict]:
    """Renew the three files from what the rounds left, and return the points."""
    curve, work_dir = read_points(work_dir), Path(work_dir)
    write_json(work_dir / 'curve.json', curve)
    metrics = list(dict.fromkeys(name for p in curve for name in p['metrics']))
    phases = [phase for phase in PHASES if any(phase in p['seconds'] for p in curve)]
    rows = [
        [
            p['round'],
            p['images'],
            p['boxes'],
            *(p['metrics'].get(m, '') for m in metrics),
            *(p['seconds'].get(s, '') for s in phases),
        ]
        for p in curve
    ]
    write_csv(
        work_dir / 'curve.csv',
        ['round', 'images', 'boxes', *metrics, *(f'{s}_seconds' for s in phases)],
        rows,
    )
    metric = main_metric(curve)
    if metric is not None:
        write_bytes(work_dir / 'curve.png', draw_learning_curves({title: curve}, metric))
    return curve


def draw_learning_curves(
    curves: dict[str, list[dict]], metric: str, units: Sequence[str] = ('images', 'boxes')
) -> bytes:
    """PNG of one metric, a panel for each unit it is drawn over.

    Args:
        curves: Points by the name of the run.
        metric: Its name in the points.
        units: 'images' or 'boxes' that are labeled, or 'seconds' of computing up to the point.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(max(4.5 * len(units), 6), 3.6), layout='constrained')
    FigureCanvasAgg(figure)
    for axis, unit in zip(
        figure.subplots(1, len(units), sharey=True, squeeze=False)[0], units, strict=True
    ):
        for name, curve in curves.items():
            axis.plot(
                _over(curve, unit),
                [p['metrics'].get(metric) for p in curve],
                marker='o',
                label=name,
            )
        axis.set_xlabel('seconds of computing' if unit == 'seconds' else f'labeled {unit}')
        axis.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axis.grid(alpha=0.3)
        axis.label_outer()
    figure.axes[0].set_ylabel(metric)
    figure.axes[0].legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=120)
    return buffer.getvalue()


def _over(curve: list[dict], unit: str) -> list[float]:
    if unit != 'seconds':
        return [p[unit] for p in curve]
    before = [0.0, *accumulate(sum(p['seconds'].values()) for p in curve)]  # of whole rounds
    return [
        b + sum(s for phase, s in p['seconds'].items() if phase in ('train', 'evaluate'))
        for b, p in zip(before[:-1], curve, strict=True)
    ]
