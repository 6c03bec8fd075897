"""The chart of differences from the baseline: a line with intervals for each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib import rc_context
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mmal.benchmark.stats.differences import DifferencePoint
from mmal.pool.budget import BudgetUnit
from mmal.reporting.style import (
    INK,
    STYLE,
    Drawing,
    add_legend,
    colour_of,
    legend_label,
    line_look,
    new_figure,
    render,
)


def draw_differences(
    curves: Mapping[str, Sequence[DifferencePoint]],
    methods: Sequence[str],
    baseline: str,
    metric: str,
    unit: BudgetUnit,
) -> Drawing:
    """Mean differences with their 95 % intervals as vertical bars; the baseline is the line at 0.

    Bars of the same cost are moved apart by a little, so that each can be seen.

    Args:
        curves: Points by method, without the baseline.
        methods: All methods; a method keeps its colour and marker through all charts.
        baseline: Name of the baseline.
        metric: Name of the metric.
        unit: Unit of the x axis, images or boxes.
    """
    costs = [point.cost for curve in curves.values() for point in curve]
    step = (max(costs) - min(costs)) * 0.005 if costs else 0.0
    with rc_context(STYLE):
        figure, axis = new_figure(8.4, 5.2)
        axis.axhline(0, color=INK, lw=1.2)
        handles = [Line2D([], [], color=INK, lw=1.2, label=legend_label(baseline))]
        for place, (method, curve) in enumerate(curves.items()):
            shift = (place - (len(curves) - 1) / 2) * step
            colour = colour_of(method, methods)
            x = [point.cost + shift for point in curve]
            for position, point in zip(x, curve, strict=True):
                if point.low is not None and point.high is not None:
                    axis.vlines(position, point.low, point.high, color=colour, lw=1, alpha=0.55)
            handles += axis.plot(
                x,
                [point.mean for point in curve],
                ms=6,
                lw=1.5,
                label=legend_label(method),
                **line_look(method, methods),
            )
        axis.set(xlabel=f'labeled {unit.plural}', ylabel=f'{metric} less that of {baseline}')
        axis.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
        add_legend(figure, handles)
        return render(figure)
