"""Charts that the page of a run and the page of a comparison share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from .style import (
    INK,
    PAPER,
    SERIES,
    STYLE,
    Drawing,
    add_legend,
    colour_of,
    legend_label,
    new_figure,
    render,
)

WIDTH = 8.4
"""Width of a chart in inches."""

SIDES = tuple(2 ** (i / 2) for i in range(4, 21))
"""Edges of the finer box-size histogram, in pixels.

A size is the side of a square of equal area: 4 to 1024 pixels in steps of the square root of 2.
"""

COCO_LIMITS = (32, 96)
"""Sides in pixels from which COCO calls a box medium and large."""

LINE_STYLES = ('-', '--', '-.', ':')
"""Line styles of the methods in turn."""

HATCHES = ('', '///', '...', 'xxx', '\\\\\\', '++')
"""Fillings of stacked bars in turn."""


def draw_shares(shares: pd.DataFrame, methods: Sequence[str], xlabel: str) -> Drawing:
    """Horizontal bars: one group per entry of the index, one bar per method.

    Args:
        shares: Values from 0 to 1. The index names the groups, the columns are methods.
        methods: All methods. A method keeps its colour through all charts.
        xlabel: What a bar is.
    """
    n_groups, n_methods = shares.shape
    height = 0.8 / max(1, n_methods)
    with rc_context(STYLE):
        figure, axis = new_figure(WIDTH, 1.2 + n_groups * (0.14 + 0.13 * n_methods))
        handles = []
        for i, method in enumerate(shares.columns):
            colour = colour_of(method, methods)
            offset = (i - (n_methods - 1) / 2) * height
            places = [group + offset for group in range(n_groups)]
            axis.barh(places, 100 * shares[method], height * 0.9, color=colour)
            handles.append(Patch(color=colour, label=legend_label(method)))
        _name_rows(axis, shares)
        axis.tick_params(axis='y', length=0)
        axis.grid(visible=False, axis='y')
        axis.set_xlabel(xlabel)
        add_legend(figure, handles)
        return render(figure)


def draw_box_sizes(shares: pd.DataFrame, edges: Sequence[float], methods: Sequence[str]) -> Drawing:
    """Share of boxes over box size on a log axis, one line per method; COCO's limits are marked.

    Args:
        shares: Values from 0 to 1, one row per bin. The columns are methods.
        edges: Finite limits of the bins in pixels, one more than there are bins.
        methods: All methods. A method keeps its colour through all charts.
    """
    with rc_context(STYLE):
        figure, axis = new_figure(WIDTH, 3.8)
        for i, method in enumerate(shares.columns):
            axis.stairs(
                100 * shares[method],
                edges,
                color=colour_of(method, methods),
                lw=2,
                ls=LINE_STYLES[i % len(LINE_STYLES)],
                baseline=None,
                label=legend_label(method),
            )
        axis.set_xscale('log', base=2)
        axis.xaxis.set_major_formatter('{x:g}')
        axis.set_ylim(bottom=0)
        for limit in COCO_LIMITS:
            axis.axvline(limit, color=INK, lw=0.8, ls=':')
        axis.set(xlabel='side of a square of equal area, pixels', ylabel='% of the boxes chosen')
        add_legend(figure, axis.get_legend_handles_labels()[0])
        return render(figure)


def draw_seconds(seconds: pd.DataFrame, xlabel: str = 'mean seconds a round') -> Drawing:
    """Stacked horizontal bars of seconds, one bar per row and one part of it per phase.

    Args:
        seconds: The index names the bars (methods, or rounds), the columns are phases. A value is
            NaN where a phase never ran.
        xlabel: What a bar is. Defaults to 'mean seconds a round'.
    """
    with rc_context(STYLE):
        figure, axis = new_figure(WIDTH, 1.3 + 0.42 * len(seconds))
        left = pd.Series(0.0, index=seconds.index)
        handles = []
        for i, phase in enumerate(seconds.columns):
            width = seconds[phase].fillna(0)
            look: dict[str, Any] = dict(
                facecolor=SERIES[i % len(SERIES)],
                hatch=HATCHES[i % len(HATCHES)],
                edgecolor=PAPER,
                lw=0.5,
            )
            axis.barh(range(len(seconds)), width, 0.6, left=left, **look)
            handles.append(Patch(label=legend_label(phase), **look))
            left += width
        _name_rows(axis, seconds)
        axis.grid(visible=False, axis='y')
        axis.set_xlabel(xlabel)
        add_legend(figure, handles)
        return render(figure)


def _name_rows(axis: Axes, table: pd.DataFrame) -> None:
    """Name the places 0, 1, ... of the y axis after the rows of a table, the first at the top."""
    axis.set_yticks(range(len(table)), [str(name) for name in table.index])
    axis.invert_yaxis()
