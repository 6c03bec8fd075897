"""Charts of one run, in the style of the comparison's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from mmal.reporting.style import (
    GRID,
    INK,
    MARKERS,
    SERIES,
    STYLE,
    Drawing,
    add_legend,
    new_figure,
    render,
)


def draw_progress(points: Sequence[dict], metric: str, axes: Mapping[str, str]) -> Drawing:
    """A metric over each of several budgets, side by side.

    Args:
        points: Dicts of ``metric`` (None where the round lacks it) and each budget.
        metric: Its name.
        axes: What to write under it, by the budget's key in the points.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 3.4), layout='constrained')
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(axes), sharey=True, squeeze=False)[0]
        some = [p for p in points if p['metric'] is not None]
        for n, (panel, (key, label)) in enumerate(zip(panels, axes.items(), strict=True)):
            panel.plot(
                [p[key] for p in some],
                [p['metric'] for p in some],
                color=SERIES[n],
                marker=MARKERS[n],
                lw=2,
            )
            panel.set_xlabel(label)
            panel.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=key != 'minutes'))
            panel.grid(alpha=0.6)
            panel.set_axisbelow(True)
            panel.label_outer()
        panels[0].set_ylabel(metric)
        return render(figure)


def draw_traces(traces: Mapping[str, Sequence[float]], ylabel: str) -> Drawing:
    """A solver's trace by iteration, on a log axis; the last is thick.

    Args:
        traces: Values by the name of the round; what is not above 0 is left out.
        ylabel: What the values are.
    """
    with rc_context(STYLE):
        figure, axis = new_figure(8.4, 3.6)
        for n, (name, trace) in enumerate(traces.items()):
            last = n == len(traces) - 1
            steps = [(k, v) for k, v in enumerate(trace, 1) if v > 0]
            axis.plot(
                [k for k, _ in steps],
                [v for _, v in steps],
                color=SERIES[0] if last else INK,
                lw=2 if last else 0.8,
                alpha=1 if last else 0.45,
                label=name if last else None,
            )
        if len(traces) > 1:
            axis.plot([], [], color=INK, lw=0.8, alpha=0.6, label='earlier rounds')
        axis.set_yscale('log')
        axis.yaxis.set_major_formatter(
            '{x:g}'
        )  # the default is mathematics, which no chart here typesets
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.grid(color=GRID)
        axis.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
        axis.set(xlabel='iteration', ylabel=ylabel)
        add_legend(figure, axis.get_legend_handles_labels()[0])
        return render(figure)
