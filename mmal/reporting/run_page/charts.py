"""Charts of one run, in the style of the comparison's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter

from mmal.reporting.charts import WIDTH
from mmal.reporting.style import (
    GRID,
    INK,
    MARKERS,
    SERIES,
    STYLE,
    Drawing,
    add_legend,
    new_figure,
    new_panels,
    render,
)


def draw_progress(
    points: Sequence[Mapping[str, Any]], metric: str, axes: Mapping[str, str]
) -> Drawing:
    """A metric over each of several budgets, side by side.

    Args:
        points: Values of each round: ``metric`` (None where the round lacks it) and each budget.
        metric: Name of the metric.
        axes: Label of each x axis, by the budget's key in the points.
    """
    evaluated = [point for point in points if point['metric'] is not None]
    values = [point['metric'] for point in evaluated]
    with rc_context(STYLE):
        figure, panels = new_panels(9, 3.4, len(axes))
        for n, (key, label) in enumerate(axes.items()):
            panel = panels[n]
            budgets = [point[key] for point in evaluated]
            panel.plot(budgets, values, color=SERIES[n], marker=MARKERS[n], lw=2)
            panel.set_xlabel(label)
            panel.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=key != 'minutes'))
            panel.label_outer()
        panels[0].set_ylabel(metric)
        return render(figure)


def draw_traces(traces: Mapping[str, Sequence[float]], ylabel: str) -> Drawing:
    """A solver's trace by iteration, on a log axis; the last round's is thick.

    Args:
        traces: Values by the name of the round. Values that are not above 0 are left out.
        ylabel: What the values are.
    """
    with rc_context(STYLE):
        figure, axis = new_figure(WIDTH, 3.6)
        *earlier, latest = traces
        for name in earlier:
            _plot_trace(axis, traces[name], color=INK, lw=0.8, alpha=0.45)
        _plot_trace(axis, traces[latest], color=SERIES[0], lw=2, alpha=1, label=latest)
        if earlier:
            axis.plot([], [], color=INK, lw=0.8, alpha=0.6, label='earlier rounds')
        axis.set_yscale('log')
        # The default formatter writes mathematics, which no chart here typesets.
        axis.yaxis.set_major_formatter('{x:g}')
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.grid(color=GRID)
        axis.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
        axis.set(xlabel='iteration', ylabel=ylabel)
        add_legend(figure, axis.get_legend_handles_labels()[0])
        return render(figure)


def _plot_trace(axis: Axes, trace: Sequence[float], **line: Any) -> None:
    """Plot the positive values of a trace over the iterations, from 1; ``line`` is its look."""
    iterations = []
    values = []
    for iteration, value in enumerate(trace, 1):
        if value > 0:
            iterations.append(iteration)
            values.append(value)
    axis.plot(iterations, values, **line)
