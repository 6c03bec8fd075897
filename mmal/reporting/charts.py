from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib import rc_context
from matplotlib.patches import Patch

from .style import (
    INK,
    PAPER,
    SERIES,
    STYLE,
    Drawing,
    _label,
    add_legend,
    colour_of,
    new_figure,
    render,
)

SIDES = tuple(2 ** (i / 2) for i in range(4, 21))
"""Edges of the finer box-size histogram: the side of a square of equal area, 4 to 1024 pixels in steps of sqrt 2."""


def draw_shares(shares: pd.DataFrame, methods: Sequence[str], xlabel: str) -> Drawing:
    """Horizontal bars, a group an index entry, a bar a column.

    Args:
        shares: Values from 0 to 1; index: names of groups, columns: methods.
        methods: All methods; a method keeps its colour through all charts.
        xlabel: What a bar is.
    """
    with rc_context(STYLE):
        figure, axis = new_figure(8.4, 1.2 + len(shares) * (0.14 + 0.13 * shares.shape[1]))
        height, handles = 0.8 / max(1, shares.shape[1]), []
        for i, method in enumerate(shares.columns):
            place = [row + (i - (shares.shape[1] - 1) / 2) * height for row in range(len(shares))]
            axis.barh(place, 100 * shares[method], height * 0.9, color=colour_of(method, methods))
            handles.append(Patch(color=colour_of(method, methods), label=_label(method)))
        axis.set_yticks(range(len(shares)), [str(name) for name in shares.index])
        axis.invert_yaxis()
        axis.tick_params(axis='y', length=0)
        axis.grid(visible=False, axis='y')
        axis.set_xlabel(xlabel)
        add_legend(figure, handles)
        return render(figure)


def draw_box_sizes(shares: pd.DataFrame, edges: Sequence[float], methods: Sequence[str]) -> Drawing:
    """Share of boxes over box size, a line a method, on a log axis; COCO's limits (32, 96) marked.

    Args:
        shares: Values from 0 to 1, a row a bin; columns: methods.
        edges: Finite limits of the bins, one more than there are bins.
        methods: All methods; a method keeps its colour through all charts.
    """
    with rc_context(STYLE):
        figure, axis = new_figure(8.4, 3.8)
        for i, method in enumerate(shares.columns):
            axis.stairs(
                100 * shares[method],
                edges,
                color=colour_of(method, methods),
                lw=2,
                ls=('-', '--', '-.', ':')[i % 4],
                baseline=None,
                label=_label(method),
            )
        axis.set_xscale('log', base=2)
        axis.xaxis.set_major_formatter('{x:g}')
        axis.set_ylim(bottom=0)
        for limit in (32, 96):
            axis.axvline(limit, color=INK, lw=0.8, ls=':')
        axis.set(xlabel='side of a square of equal area, pixels', ylabel='% of the boxes chosen')
        add_legend(figure, axis.get_legend_handles_labels()[0])
        return render(figure)


def draw_seconds(seconds: pd.DataFrame, xlabel: str = 'mean seconds a round') -> Drawing:
    """Stacked horizontal bars of mean seconds a round.

    Args:
        seconds: Index: methods, columns: phases; NaN where a phase never ran.
        xlabel: What a bar is. Defaults to 'mean seconds a round'.
    """
    with rc_context(STYLE):
        figure, axis = new_figure(8.4, 1.3 + 0.42 * len(seconds))
        left, handles = pd.Series(0.0, index=seconds.index), []
        hatches = ('', '///', '...', 'xxx', '\\\\\\', '++')
        for i, phase in enumerate(seconds.columns):
            width = seconds[phase].fillna(0)
            style = dict(
                facecolor=SERIES[i % len(SERIES)],
                hatch=hatches[i % len(hatches)],
                edgecolor=PAPER,
                lw=0.5,
            )
            axis.barh(range(len(seconds)), width, 0.6, left=left, **style)
            handles.append(Patch(label=_label(phase), **style))
            left += width
        axis.set_yticks(range(len(seconds)), [str(name) for name in seconds.index])
        axis.invert_yaxis()
        axis.grid(visible=False, axis='y')
        axis.set_xlabel(xlabel)
        add_legend(figure, handles)
        return render(figure)
