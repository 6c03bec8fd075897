"""Histograms of what each method chose, round by round.

The chart consists of small multiples, one row per method and one column per round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mmal.reporting.style import GRID, INK, STYLE, Drawing, colour_of, new_figure, render

MAX_ROUNDS = 10
"""Number of rounds that fit side by side and can be read."""

ROW_GAP = 3.6
"""Distance between the panels of two methods, in bars; it holds the names of method and rounds."""

COLUMN_PITCH = 1.12
"""Distance between the left edges of two panels, in widths of a panel."""

MAX_NAME = 20
"""Length above which the name of a bar is shortened."""


def shown_rounds(rounds: Sequence[int]) -> list[int]:
    """The rounds to draw.

    Args:
        rounds: Numbers of all rounds, ascending.

    Returns:
        All rounds, or :data:`MAX_ROUNDS` of them at equal distances with the first and the last.
    """
    if len(rounds) <= MAX_ROUNDS:
        return list(rounds)
    shown = []
    last = len(rounds) - 1
    for i in range(MAX_ROUNDS):
        position = round(i * last / (MAX_ROUNDS - 1))
        shown.append(rounds[position])
    return shown


@dataclass(frozen=True)
class _Grid:
    """Where the panels are on the axis that they share.

    Attributes:
        ticks: Per cent at a panel's ticks, from 0; the last is the width of a panel.
        bars: Number of bars of a panel, each of height 1.
        left: Left edge of the panels by number of the round.
        top: Upper edge of the panels by method; y grows downwards.
    """

    ticks: Sequence[float]
    bars: int
    left: dict[int, float]
    top: dict[str, float]

    @property
    def width(self) -> float:
        """Width of a panel."""
        return self.ticks[-1]

    def bar_positions(self, method: str) -> list[float]:
        """Heights of the middle of a method's bars."""
        first = self.top[method] + 0.5
        return [first + i for i in range(self.bars)]


def draw_by_round(
    shares: pd.DataFrame, methods: Sequence[str], xlabel: str, marks: Sequence[float] = ()
) -> Drawing:
    """Horizontal bars, one per index entry, in a panel for each method and round.

    All panels have the same scale. They are drawn on one axis, side by side: as axes of their own,
    a hundred panels would take ten times as long.

    Args:
        shares: Values from 0 to 1; index: names of bars, from the top; columns (method, round). A
            panel without a column, or with zeros alone, is labeled "none".
        methods: All methods; a method keeps its colour through all charts.
        xlabel: What a bar is.
        marks: Where dotted lines cross each panel; 0 is above the first bar, 1 below it. Defaults
            to none.

    Returns:
        The chart.
    """
    grid = _make_grid(shares)
    height = 0.4 + 0.13 * len(grid.top) * (grid.bars + ROW_GAP)
    with rc_context({**STYLE, 'font.size': 8}):
        figure, axis = new_figure(8.4, height)
        for method, y in grid.top.items():
            axis.text(0, y - 1.4, method, fontsize=9, fontweight='bold')
            for round_number, x in grid.left.items():
                axis.text(x, y - 0.3, f'round {round_number}')
                _draw_frame(axis, grid, x, y, marks)
                _draw_bars(axis, grid, shares, (method, round_number), colour_of(method, methods))
        _label_axis(axis, grid, [_shortened(str(name)) for name in shares.index], xlabel)
        return render(figure)


def _make_grid(shares: pd.DataFrame) -> _Grid:
    """Places for a panel of each method and round of the shares."""
    methods = shares.columns.get_level_values(0).unique()
    rounds = sorted(shares.columns.get_level_values(1).unique())
    highest = 100 * shares.max().max()
    ticks = MaxNLocator(nbins=2).tick_values(0, highest)
    bars = len(shares)
    left = {}
    for i, round_number in enumerate(rounds):
        left[round_number] = i * COLUMN_PITCH * ticks[-1]
    top = {}
    for i, method in enumerate(methods):
        top[method] = i * (bars + ROW_GAP)
    return _Grid(ticks, bars, left, top)


def _draw_frame(axis: Axes, grid: _Grid, x: float, y: float, marks: Sequence[float]) -> None:
    """The lines of the panel whose left edge is x and whose first bar lies below y."""
    bottom = y + grid.bars
    right = x + grid.width
    tick_lines = [x + tick for tick in grid.ticks[1:]]
    mark_lines = [y + mark for mark in marks]
    axis.vlines(tick_lines, y, bottom, color=GRID, lw=0.6, zorder=0)
    axis.vlines(x, y, bottom, color=INK, lw=0.6)
    axis.hlines(mark_lines, x, right, color=INK, lw=0.6, ls=':')


def _draw_bars(
    axis: Axes, grid: _Grid, shares: pd.DataFrame, panel: tuple[str, int], colour: str
) -> None:
    """The bars of a panel, or "none" if it has none."""
    method, round_number = panel
    x = grid.left[round_number]
    if panel in shares and shares[panel].any():
        positions = grid.bar_positions(method)
        axis.barh(positions, 100 * shares[panel], 0.8, left=x, color=colour)
    else:
        middle = grid.top[method] + grid.bars / 2
        axis.text(x + grid.width / 2, middle, 'none', ha='center', va='center')


def _label_axis(axis: Axes, grid: _Grid, names: list[str], xlabel: str) -> None:
    """Names of the bars, per cent of the ticks, and the limits of the axis.

    The last tick of a panel is labeled in the last column only, or it would run into the next
    panel.
    """
    bar_positions = []
    for method in grid.top:
        bar_positions += grid.bar_positions(method)
    axis.set_yticks(bar_positions, names * len(grid.top))
    tick_positions = []
    tick_labels = []
    for x in grid.left.values():
        for tick in grid.ticks[:-1]:
            tick_positions.append(x + tick)
            tick_labels.append(f'{tick:g}')
    right = max(grid.left.values()) + grid.width
    bottom = len(grid.top) * (grid.bars + ROW_GAP) - ROW_GAP
    tick_positions.append(right)
    tick_labels.append(f'{grid.width:g}')
    axis.set_xticks(tick_positions, tick_labels)
    axis.tick_params(length=0)
    axis.set(xlabel=xlabel, xlim=(0, right))
    axis.set_ylim(bottom, -ROW_GAP)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)


def _shortened(name: str) -> str:
    return f'{name[: MAX_NAME - 3]}...' if len(name) > MAX_NAME else name
