"""The chart of learning curves: mean and interval of each method."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from mmal.benchmark.isal_paper.published import PublishedPoint
from mmal.benchmark.stats.student import half_width
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

from .sections import span

PUBLISHED_LINES = ('--', '-.', ':', (0, (6, 1)), (0, (1, 2, 5, 2)))
"""Line styles of the published curves, in turn."""


def draw_curves(
    means: pd.DataFrame,
    methods: Sequence[str],
    metric: str,
    unit: BudgetUnit,
    published: Mapping[str, Sequence[PublishedPoint]] | None = None,
) -> Drawing:
    """Learning curves: a line for the mean of each method's done runs.

    The band is the 95 % t-interval of the mean, where two runs or more are in it. The legend states
    that, and the number of runs.

    Args:
        means: Table of :func:`mmal.benchmark.stats.tables.round_means`.
        methods: All methods; a method keeps its colour and marker through all charts.
        metric: Name for the y axis.
        unit: Unit of the x axis, images or boxes.
        published: Points of :func:`mmal.benchmark.isal_paper.published.published_curve` by label,
            drawn dashed. Their values must be in the unit of the metric. A label that begins with a
            method's name has its colour, in whatever case and with spaces for underscores:
            'Learning loss, ...' has that of 'learning_loss'. Defaults to None: no such curves.

    Returns:
        The chart.
    """
    with rc_context(STYLE):
        figure, axis = new_figure(8.4, 4.6)
        handles: list[Artist] = []
        for method, part in means[means['n'] > 0].groupby('method', sort=False):
            _draw_band(axis, part, unit, colour_of(method, methods))
            handles += axis.plot(
                part[unit.plural],
                part['metric'],
                ms=6,
                lw=1.8,
                label=legend_label(f'{method} (n = {span(part["n"])})'),
                **line_look(method, methods),
            )
        handles += _draw_published(axis, published or {}, unit, methods)
        handles.append(_key(banded=bool((means['n'] >= 2).any())))
        axis.set(xlabel=f'labeled {unit.plural}', ylabel=metric)
        axis.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
        add_legend(figure, handles)
        return render(figure)


def _draw_band(axis: Axes, means: pd.DataFrame, unit: BudgetUnit, colour: str) -> None:
    """The interval of a method's mean, over the rounds that have one."""
    band = means[means['n'] >= 2]
    if not len(band):
        return
    half_widths = [half_width(sd, n) for sd, n in zip(band['sd'], band['n'], strict=True)]
    half = pd.Series(half_widths, index=band.index)
    low = band['metric'] - half
    high = band['metric'] + half
    axis.fill_between(band[unit.plural], low, high, color=colour, alpha=0.14, lw=0)


def _draw_published(
    axis: Axes,
    published: Mapping[str, Sequence[PublishedPoint]],
    unit: BudgetUnit,
    methods: Sequence[str],
) -> list[Line2D]:
    """A broken line for each published curve."""
    lines = []
    for i, (label, curve) in enumerate(published.items()):
        table = pd.DataFrame(curve)
        method = _method_of(label, methods)
        lines += axis.plot(
            table[unit.plural].tolist(),
            table['value'].tolist(),
            lw=1.2,
            label=legend_label(label),
            color=INK if method is None else colour_of(method, methods),
            alpha=0.6 if method is None else 1,
            ls=PUBLISHED_LINES[i % len(PUBLISHED_LINES)],
        )
    return lines


def _method_of(label: str, methods: Sequence[str]) -> str | None:
    """The method with the longest name that a label begins with."""
    candidates = [m for m in methods if f'{_words(label)} '.startswith(f'{_words(m)} ')]
    return max(candidates, key=len, default=None)


def _words(name: str) -> str:
    """The words of a method's name, which the paper and a folder write in different ways."""
    return ' '.join(re.findall(r'[^\W_]+', name.lower()))


def _key(banded: bool) -> Artist:
    """Entry of the legend that explains the band."""
    if banded:
        return Patch(color=INK, alpha=0.14, lw=0, label='95 % t-interval of\nthe mean, n >= 2')
    return Patch(color=INK, alpha=0, lw=0, label='no band: n = 1')
