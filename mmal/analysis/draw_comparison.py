"""Charts of a comparison, as PNG and SVG; the same data gives the same bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from scipy.stats import t

INK, GRID, PAPER = '#1f2328', '#d0d7de', '#ffffff'
SERIES = ('#0072b2', '#d55e00', '#00805c', '#b0508a', '#8a6d00', '#2a8fc4', '#555555')
"""Okabe and Ito's palette for colour-blind readers, darkened where it has less than 3:1 contrast on white."""
MARKERS = 'osD^vPX*'
STYLE = {'svg.fonttype': 'none', 'svg.hashsalt': 'mmal', 'text.parse_math': False, 'font.size': 10,
          'font.family': 'sans-serif', 'text.color': INK, 'axes.labelcolor': INK, 'axes.edgecolor': INK,
          'xtick.color': INK, 'ytick.color': INK, 'grid.color': GRID, 'figure.facecolor': PAPER,
          'axes.facecolor': PAPER, 'axes.spines.top': False, 'axes.spines.right': False, 'legend.frameon': False}


@dataclass(frozen=True)
class Drawing:
    """One chart.

    Attributes:
        png: PNG bytes.
        svg: SVG bytes; text stays text.
    """
    png: bytes
    svg: bytes


def draw_curves(means: pd.DataFrame, points: pd.DataFrame, methods: Sequence[str], metric: str, unit: str,
                published: Mapping[str, Sequence[dict]] | None = None) -> Drawing:
    """Learning curves: a thick line for the mean of the done runs, a thin one for each of them.

    The band is the 95 % t-interval of the mean, where two runs or more are in it; the legend says so, and how many.

    Args:
        means: Of :func:`mmal.analysis.tables.round_means`.
        points: Of :func:`mmal.analysis.tables.points_table`; runs that are not done are not drawn.
        methods: All methods; a method keeps its colour through all charts.
        metric: Name for the y axis.
        unit: 'images' or 'boxes', the x axis.
        published: Points of :func:`mmal.analysis.published.published_curve` by label, drawn dashed. Their values must
            be in the unit of the metric. A label that begins with a method's name has its colour, in whatever case and
            with spaces for underscores: 'Learning loss, ...' that of 'learning_loss'. Defaults to None.
    """
    with rc_context(STYLE):
        figure, axis = new_figure(8.4, 4.6)
        handles = []
        for method, part in means[means['n'] > 0].groupby('method', sort=False):
            colour, marker = colour_of(method, methods), MARKERS[methods.index(method) % len(MARKERS)]
            for _, run in points[(points['method'] == method) & (points['state'] == 'done')].groupby('seed'):
                run = run.dropna(subset=['metric'])
                axis.plot(run[unit], run['metric'], color=colour, lw=0.8, alpha=0.45)
            _band(axis, part, unit, colour)
            handles += axis.plot(part[unit], part['metric'], color=colour, marker=marker, ms=5, lw=2,
                                 label=_label(f'{method} (n = {_span(part["n"])})'))
        handles += _published(axis, published or {}, unit, methods)
        handles += _key(banded=bool((means['n'] >= 2).any()))
        axis.set(xlabel=f'labeled {unit}', ylabel=metric)
        axis.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
        add_legend(figure, handles)
        return saved(figure)


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
        return saved(figure)


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
            axis.stairs(100 * shares[method], edges, color=colour_of(method, methods), lw=2,
                        ls=('-', '--', '-.', ':')[i % 4], baseline=None, label=_label(method))
        axis.set_xscale('log', base=2)
        axis.xaxis.set_major_formatter('{x:g}')
        axis.set_ylim(bottom=0)
        for limit in (32, 96):
            axis.axvline(limit, color=INK, lw=0.8, ls=':')
        axis.set(xlabel='side of a square of equal area, pixels', ylabel='% of the boxes chosen')
        add_legend(figure, axis.get_legend_handles_labels()[0])
        return saved(figure)


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
            style = dict(facecolor=SERIES[i % len(SERIES)], hatch=hatches[i % len(hatches)], edgecolor=PAPER, lw=0.5)
            axis.barh(range(len(seconds)), width, 0.6, left=left, **style)
            handles.append(Patch(label=_label(phase), **style))
            left += width
        axis.set_yticks(range(len(seconds)), [str(name) for name in seconds.index])
        axis.invert_yaxis()
        axis.grid(visible=False, axis='y')
        axis.set_xlabel(xlabel)
        add_legend(figure, handles)
        return saved(figure)


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
    half = pd.Series([half_width(sd, n) for sd, n in zip(band['sd'], band['n'], strict=True)], index=band.index)
    axis.fill_between(band[unit], band['metric'] - half, band['metric'] + half, color=colour, alpha=0.14, lw=0)


def _published(axis, published: Mapping[str, Sequence[dict]], unit: str, methods: Sequence[str]) -> list:
    lines = []
    for i, (label, curve) in enumerate(published.items()):
        same = max((m for m in methods if f'{_words(label)} '.startswith(f'{_words(m)} ')), key=len, default=None)
        lines += axis.plot([p[unit] for p in curve], [p['value'] for p in curve], lw=1.2, label=_label(label),
                           color=colour_of(same, methods) if same else INK, alpha=1 if same else 0.6,
                           ls=('--', '-.', ':', (0, (6, 1)), (0, (1, 2, 5, 2)))[i % 5])
    return lines


def _words(name: str) -> str:
    """A name of a method, however it is written: as the paper prints it, or as a folder can be called."""
    return ' '.join(re.findall(r'[^\W_]+', name.lower()))


def _key(banded: bool) -> list:
    """Entries of the legend that say what lines and band are."""
    entries = [Line2D([], [], color=INK, lw=2, label='mean of the seeds'),
               Line2D([], [], color=INK, lw=0.8, alpha=0.6, label='one seed')]
    band = '95 % t-interval of\nthe mean, n >= 2' if banded else 'no band: n = 1'
    return [*entries, Patch(color=INK, alpha=0.14 if banded else 0, lw=0, label=band)]


def colour_of(method: str, methods: Sequence[str]) -> str:
    return SERIES[list(methods).index(method) % len(SERIES)]


def _span(n: pd.Series) -> str:
    return f'{n.min()}' if n.min() == n.max() else f'{n.min()} to {n.max()}'


def _label(text) -> str:
    """A legend leaves out labels that begin with an underscore."""
    return f' {text}' if str(text).startswith('_') else str(text)


def new_figure(width: float, height: float):
    """A figure in the style of all charts, and its axis."""
    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    axis.grid(alpha=0.6)
    axis.set_axisbelow(True)
    return figure, axis


def add_legend(figure: Figure, handles: list) -> None:
    """A legend beside the chart, if there is something to say."""
    if handles:
        figure.legend(handles=handles, loc='outside right upper', fontsize=9)


def saved(figure: Figure) -> Drawing:
    """The figure as PNG and SVG."""
    out = {kind: io.BytesIO() for kind in ('png', 'svg')}
    figure.savefig(out['png'], format='png', dpi=120, metadata=dict(Software=None))
    figure.savefig(out['svg'], format='svg', metadata=dict(Date=None, Creator=None, Format=None, Type=None))
    return Drawing(out['png'].getvalue(), out['svg'].getvalue())
