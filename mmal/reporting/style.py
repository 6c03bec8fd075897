"""The look of all charts, and their bytes as PNG and SVG; the same data gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK = '#1f2328'
"""Colour of text and axes."""
GRID = '#d0d7de'
"""Colour of the grid."""
PAPER = '#ffffff'
"""Colour of the background."""

SERIES = (
    '#0072b2',
    '#d55e00',
    '#00805c',
    '#b0508a',
    '#8a6d00',
    '#2a8fc4',
    '#555555',
    '#7a4fd0',
    '#b3261e',
    '#4d7c0f',
    '#7c3f1d',
    '#0f766e',
)
"""Okabe and Ito's palette for colour-blind readers, and five more colours.

Colours with less than 3:1 contrast on white are darkened.
"""

DARK = (
    '#58b0ec',
    '#ff9a57',
    '#3ccfa2',
    '#e6a3c8',
    '#e6d24a',
    '#a8dbff',
    '#b8b8b8',
    '#b79cff',
    '#ff8a80',
    '#b5e05a',
    '#d7a07a',
    '#5fe0d4',
)
"""The charts' colours in dark mode, in the order of :data:`SERIES`."""

MARKERS = 'osD^vPX*<>hd'
"""Markers of the points of a line, one per series."""

DPI = 120
"""Resolution of a PNG, in pixels per inch of the figure."""

# Any, because matplotlib types the keys by a list of all literals.
STYLE: dict[Any, Any] = {
    'svg.fonttype': 'none',
    'svg.hashsalt': 'mmal',
    'text.parse_math': False,
    'font.size': 10,
    'font.family': 'sans-serif',
    'text.color': INK,
    'axes.labelcolor': INK,
    'axes.edgecolor': INK,
    'xtick.color': INK,
    'ytick.color': INK,
    'grid.color': GRID,
    'figure.facecolor': PAPER,
    'axes.facecolor': PAPER,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'legend.frameon': False,
}
"""Settings of matplotlib that charts are drawn and rendered with, by ``rc_context(STYLE)``."""


@dataclass(frozen=True)
class Drawing:
    """One chart.

    Attributes:
        png: PNG bytes.
        svg: SVG bytes, in which text stays text.
    """

    png: bytes
    svg: bytes


def colour_of(method: str, methods: Sequence[str]) -> str:
    """The colour of a method, which it keeps through all charts.

    Args:
        method: One of the methods.
        methods: All methods, in the order of the colours.
    """
    place = list(methods).index(method)
    return SERIES[place % len(SERIES)]


def line_look(method: str, methods: Sequence[str]) -> dict[str, Any]:
    """Colour and marker of a method's line, which it keeps through all charts.

    The markers of the first six methods are filled, those of the next six are hollow, so that
    twelve methods are told apart without colours.

    Args:
        method: One of the methods.
        methods: All methods, in the order of colours and markers.

    Returns:
        Arguments of matplotlib's ``plot``.
    """
    place = list(methods).index(method) % len(MARKERS)
    colour = colour_of(method, methods)
    filled = place < len(MARKERS) // 2
    return dict(
        color=colour,
        marker=MARKERS[place],
        markerfacecolor=colour if filled else PAPER,
        markeredgecolor=colour,
    )


def legend_label(text: object) -> str:
    """The text as a label that the legend shows.

    Matplotlib's legend leaves out labels that begin with an underscore. These get a space first.

    Args:
        text: Name of a line or bar.
    """
    label = str(text)
    if label.startswith('_'):
        return f' {label}'
    return label


def new_panels(width: float, height: float, panels: int) -> tuple[Figure, list[Axes]]:
    """A figure in the style of all charts, with panels side by side that share the y axis.

    Args:
        width: Width of the figure in inches.
        height: Height of the figure in inches.
        panels: Number of panels.
    """
    return _panels(width, height, 1, panels, sharex=False)


def new_grid(width: float, height: float, rows: int, columns: int) -> tuple[Figure, list[Axes]]:
    """A figure in the style of all charts, with rows of panels that share both axes.

    Args:
        width: Width of the figure in inches.
        height: Height of the figure in inches.
        rows: Number of rows.
        columns: Number of panels of a row.

    Returns:
        The figure, and its panels row by row.
    """
    return _panels(width, height, rows, columns, sharex=True)


def _panels(
    width: float, height: float, rows: int, columns: int, sharex: bool
) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, sharex=sharex, sharey=True, squeeze=False)
    axes: list[Axes] = list(grid.flat)
    for axis in axes:
        axis.grid(alpha=0.6)
        axis.set_axisbelow(True)
    return figure, axes


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure in the style of all charts, with one panel.

    Args:
        width: Width of the figure in inches.
        height: Height of the figure in inches.
    """
    figure, axes = new_panels(width, height, 1)
    return figure, axes[0]


def add_legend(figure: Figure, handles: list[Any]) -> None:
    """Put a legend beside the chart, unless it would be empty.

    Args:
        figure: Figure of the chart.
        handles: Lines and patches to be named, each with a label.
    """
    if handles:
        figure.legend(handles=handles, loc='outside right upper', fontsize=9)


def png_bytes(figure: Figure) -> bytes:
    """The figure as PNG, :data:`DPI` pixels per inch."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=DPI, metadata=dict(Software=None))
    return buffer.getvalue()


def svg_bytes(figure: Figure) -> bytes:
    """The figure as SVG, without the date and the program that drew it."""
    buffer = io.BytesIO()
    nothing = dict(Date=None, Creator=None, Format=None, Type=None)
    figure.savefig(buffer, format='svg', metadata=nothing)
    return buffer.getvalue()


def render(figure: Figure) -> Drawing:
    """The figure as PNG and SVG."""
    return Drawing(png_bytes(figure), svg_bytes(figure))
