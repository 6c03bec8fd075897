"""The learning curve: ``curve.json``, ``curve.csv`` and ``curve.png`` from the round folders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.ticker import MaxNLocator

from mmal.fileio.atomic import write_bytes
from mmal.fileio.text import write_csv, write_json
from mmal.run.history import CurvePoint, main_metric, read_points
from mmal.run.layout import MODEL_PHASES, PHASES, RunPaths

from .style import STYLE, legend_label, line_look, new_panels, png_bytes


def write_curve(work_dir: str | Path, title: str) -> list[CurvePoint]:
    """Renew the three files from what the rounds left.

    There is no picture if no round has a metric.

    Args:
        work_dir: Work directory of the run.
        title: Name of the curve in the picture.

    Returns:
        The points of the curve.
    """
    paths = RunPaths(Path(work_dir))
    curve = read_points(work_dir)
    write_json(paths.curve, curve)
    columns, rows = _table(curve)
    write_csv(paths.curve_table, columns, rows)
    metric = main_metric(curve)
    if metric is not None:
        write_bytes(paths.curve_chart, draw_learning_curves({title: curve}, metric))
    return curve


def _table(curve: Sequence[CurvePoint]) -> tuple[list[str], list[list[object]]]:
    """Columns and rows of ``curve.csv``, one row per point; '' where a point lacks a value."""
    metrics: dict[str, None] = {}
    for point in curve:
        metrics.update(dict.fromkeys(point['metrics']))
    phases = []
    for phase in PHASES:
        if any(phase in point['seconds'] for point in curve):
            phases.append(phase)
    columns = ['round', 'images', 'boxes', *metrics]
    columns += [f'{phase}_seconds' for phase in phases]
    rows = []
    for point in curve:
        row: list[object] = [point['round'], point['images'], point['boxes']]
        row += [point['metrics'].get(name, '') for name in metrics]
        row += [point['seconds'].get(phase, '') for phase in phases]
        rows.append(row)
    return columns, rows


def draw_learning_curves(
    curves: Mapping[str, Sequence[CurvePoint]],
    metric: str,
    units: Sequence[str] = ('images', 'boxes'),
) -> bytes:
    """A PNG of one metric, with one panel for each unit it is drawn over.

    Args:
        curves: Points of each run, by the name of the run in the legend.
        metric: Name of the metric in the points.
        units: 'images' or 'boxes' that are labeled, or 'seconds' of computing up to the point.
            Defaults to images and boxes.

    Raises:
        ValueError: If a unit is none of these.
    """
    with rc_context(STYLE):
        figure, panels = new_panels(max(4.5 * len(units), 6), 3.6, len(units))
        for panel, unit in zip(panels, units, strict=True):
            for name, curve in curves.items():
                panel.plot(
                    budgets(curve, unit),
                    [point['metrics'].get(metric, math.nan) for point in curve],
                    label=legend_label(name),
                    **line_look(name, list(curves)),
                )
            xlabel = 'seconds of computing' if unit == 'seconds' else f'labeled {unit}'
            panel.set_xlabel(xlabel)
            panel.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
            panel.label_outer()
        panels[0].set_ylabel(metric)
        panels[0].legend()
        return png_bytes(figure)


def budgets(curve: Sequence[CurvePoint], unit: str) -> list[float]:
    """What each point of a curve cost, in one unit.

    Args:
        curve: Points of a run.
        unit: 'images', 'boxes' or 'seconds'; see :func:`draw_learning_curves`.

    Raises:
        ValueError: If the unit is none of these.
    """
    if unit == 'images':
        return [point['images'] for point in curve]
    if unit == 'boxes':
        return [point['boxes'] for point in curve]
    if unit == 'seconds':
        return computing_seconds(curve)
    raise ValueError(f"expected unit 'images', 'boxes' or 'seconds', got {unit!r}.")


def computing_seconds(curve: Sequence[CurvePoint]) -> list[float]:
    """Seconds of computing up to the evaluation of each point's model.

    All phases of the rounds before count, and of the round itself training and evaluation.

    Args:
        curve: Points of a run.
    """
    seconds = []
    earlier_rounds = 0.0
    for point in curve:
        of_model = sum(point['seconds'].get(phase, 0) for phase in MODEL_PHASES)
        seconds.append(earlier_rounds + of_model)
        earlier_rounds += sum(point['seconds'].values())
    return seconds
