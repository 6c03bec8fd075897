"""Charts of a comparison, as PNG and SVG; the same data gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, GRID, PAPER = '#1f2328', '#d0d7de', '#ffffff'
SERIES = ('#0072b2', '#d55e00', '#00805c', '#b0508a', '#8a6d00', '#2a8fc4', '#555555')
"""Okabe and Ito's palette for colour-blind readers, darkened where it has less than 3:1 contrast on white."""
MARKERS = 'osD^vPX*'
STYLE = {
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


@dataclass(frozen=True)
class Drawing:
    """One chart.

    Attributes:
        png: PNG bytes.
        svg: SVG bytes; text stays text.
    """

    png: bytes
    svg: bytes


def colour_of(method: str, methods: Sequence[str]) -> str:
    return SERIES[list(methods).index(method) % len(SERIES)]


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


def render(figure: Figure) -> Drawing:
    """The figure as PNG and SVG."""
    out = {kind: io.BytesIO() for kind in ('png', 'svg')}
    figure.savefig(out['png'], format='png', dpi=120, metadata=dict(Software=None))
    figure.savefig(
        out['svg'], format='svg', metadata=dict(Date=None, Creator=None, Format=None, Type=None)
    )
    return Drawing(out['png'].getvalue(), out['svg'].getvalue())


DARK = ('#58b0ec', '#ff9a57', '#3ccfa2', '#e6a3c8', '#e6d24a', '#a8dbff', '#b8b8b8')
"""The charts' colours in dark mode, in the order of SERIES."""
