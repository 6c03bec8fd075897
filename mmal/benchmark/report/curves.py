from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib import rc_context
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from scipy.stats import t

from mmal.reporting.style import (
    INK,
    MARKERS,
    STYLE,
    Drawing,
    add_legend,
    colour_of,
    legend_label,
    new_figure,
    render,
)


def draw_curves(
    means: pd.DataFrame,
    points: pd.DataFrame,
    methods: Sequence[str],
    metric: str,
    unit: str,
    published: Mapping[str, Sequence[dict]] | None = None,
) -> Drawing:
    """Learning curves: a thick line for the mean of the done runs, a thin one for each of them.

    The band is the 95 % t-interval of the mean, where two runs or more are in it; the legend says so, and how many.

    Args:
        means: Of :func:`mmal.benchmark.stats.tables.round_means`.
        points: Of :func:`mmal.benchmark.stats.tables.points_table`; runs that are not done are not drawn.
        methods: All methods; a method keeps its colour through all charts.
        metric: Name for the y axis.
        unit: 'images' or 'boxes', the x axis.
        published: Points of :func:`mmal.benchmark.isal_paper.published.published_curve` by label, drawn dashed. Their values must
            be in the unit of the metric. A label that begins with a method's name has its colour, in whatever case and
            with spaces for underscores: 'Learning loss, ...' that of 'learning_loss'. Defaults to None.
    """
    with rc_context(STYLE):
        figure, axis = new_figure(8.4, 4.6)
        handles = []
        for method, part in means[means['n'] > 0].groupby('method', sort=False):
            colour, marker = (
                colour_of(method, methods),
                MARKERS[methods.index(method) % len(MARKERS)],
            )
            for _, run in points[
                (points['method'] == method) & (points['state'] == 'done')
            ].groupby('seed'):
                run = run.dropna(subset=['metric'])
                axis.plot(run[unit], run['metric'], color=colour, lw=0.8, alpha=0.45)
            _band(axis, part, unit, colour)
            handles += axis.plot(
                part[unit],
                part['metric'],
                color=colour,
                marker=marker,
                ms=5,
                lw=2,
                label=legend_label(f'{method} (n = {_span(part["n"])})'),
            )
        handles += _published(axis, published or {}, unit, methods)
        handles += _key(banded=bool((means['n'] >= 2).any()))
        axis.set(xlabel=f'labeled {unit}', ylabel=metric)
        axis.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
        add_legend(figure, handles)
        return render(figure)


def half_width(sd: float, n: int) -> float:
    """Half of the 95 % t-interval of a mean: t(0.975, n - 1) * sd / sqrt(n).

    Args:
        sd: Sample standard deviation.
        n: Number of values, at least 2.
    """
    return float(t.ppf(0.975, n - 1) * sd / n**0.5)


def _band(axis, part: pd.DataFrame, unit: str, colour: str) -> None:
    band = part[part['n'] >= 2]
    if not len(band):
        return
    half = pd.Series(
        [half_width(sd, n) for sd, n in zip(band['sd'], band['n'], strict=True)], index=band.index
    )
    axis.fill_between(
        band[unit], band['metric'] - half, band['metric'] + half, color=colour, alpha=0.14, lw=0
    )


def _published(
    axis, published: Mapping[str, Sequence[dict]], unit: str, methods: Sequence[str]
) -> list:
    lines = []
    for i, (label, curve) in enumerate(published.items()):
        same = max(
            (m for m in methods if f'{_words(label)} '.startswith(f'{_words(m)} ')),
            key=len,
            default=None,
        )
        lines += axis.plot(
            [p[unit] for p in curve],
            [p['value'] for p in curve],
            lw=1.2,
            label=legend_label(label),
            color=colour_of(same, methods) if same else INK,
            alpha=1 if same else 0.6,
            ls=('--', '-.', ':', (0, (6, 1)), (0, (1, 2, 5, 2)))[i % 5],
        )
    return lines


def _words(name: str) -> str:
    """A name of a method, however it is written: as the paper prints it, or as a folder can be called."""
    return ' '.join(re.findall(r'[^\W_]+', name.lower()))


def _key(banded: bool) -> list:
    """Entries of the legend that say what lines and band are."""
    entries = [
        Line2D([], [], color=INK, lw=2, label='mean of the seeds'),
        Line2D([], [], color=INK, lw=0.8, alpha=0.6, label='one seed'),
    ]
    band = '95 % t-interval of\nthe mean, n >= 2' if banded else 'no band: n = 1'
    return [*entries, Patch(color=INK, alpha=0.14 if banded else 0, lw=0, label=band)]


def _span(n: pd.Series) -> str:
    return f'{n.min()}' if n.min() == n.max() else f'{n.min()} to {n.max()}'
