"""The chart of single seeds: a panel for each method, with every run of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mmal.pool.budget import BudgetUnit
from mmal.reporting.style import (
    INK,
    STYLE,
    Drawing,
    colour_of,
    legend_label,
    line_look,
    new_grid,
    render,
)

COLUMNS = 3
"""Number of panels side by side."""


def draw_seeds(
    means: pd.DataFrame,
    points: pd.DataFrame,
    methods: Sequence[str],
    metric: str,
    unit: BudgetUnit,
) -> Drawing:
    """A panel for each method with a done run: thin lines for its runs, a thick one for the mean.

    Panels share both axes. In each, the means of the other methods are thin and grey.

    Args:
        means: Table of :func:`mmal.benchmark.stats.tables.round_means`.
        points: Table of :func:`mmal.benchmark.stats.tables.points_table`; runs that are not done
            are not drawn.
        methods: All methods; a method keeps its colour and marker through all charts.
        metric: Name for the y axis.
        unit: Unit of the x axis, images or boxes.

    Returns:
        The chart.
    """
    measured = means[means['n'] > 0]
    done = points[points['state'] == 'done']
    shown = list(measured['method'].unique())
    rows = -(-len(shown) // COLUMNS)
    with rc_context({**STYLE, 'font.size': 9}):
        figure, axes = new_grid(8.4, 0.5 + 2.1 * rows, rows, COLUMNS)
        for axis, method in zip(axes, shown, strict=False):
            others = measured[measured['method'] != method]
            _draw_lines(axis, others, 'method', unit, color=INK, lw=0.6, alpha=0.3)
            runs = done[done['method'] == method].dropna(subset=['metric'])
            colour = colour_of(method, methods)
            _draw_lines(axis, runs, 'seed', unit, color=colour, lw=0.8, alpha=0.55)
            mean = measured[measured['method'] == method]
            axis.plot(mean[unit.plural], mean['metric'], ms=4, lw=2, **line_look(method, methods))
            axis.set_title(legend_label(method), fontsize=9, loc='left')
            axis.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
        for axis in axes[len(shown) :]:
            axis.remove()
        for axis in axes[: len(shown)][-COLUMNS:]:
            axis.tick_params(labelbottom=True)
        figure.supxlabel(f'labeled {unit.plural}', fontsize=9)
        figure.supylabel(metric, fontsize=9)
        return render(figure)


def _draw_lines(axis: Axes, table: pd.DataFrame, by: str, unit: BudgetUnit, **look: Any) -> None:
    """A line without markers for each value of a column."""
    for _, part in table.groupby(by, sort=False):
        axis.plot(part[unit.plural].tolist(), part['metric'].tolist(), **look)
