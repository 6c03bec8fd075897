"""Histograms of what each method chose, round by round: small multiples, a row a method and a column a round."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mmal.reporting.style import GRID, INK, STYLE, Drawing, colour_of, new_figure, render

MOST = 10
"""Rounds that fit side by side and can be read."""

LINES = 3.6
"""Between the panels of two methods, in bars: the method's name, the rounds, and some room."""


def shown_rounds(rounds: Sequence[int]) -> list[int]:
    """All rounds, or :data:`MOST` of them at equal distances with the first and the last."""
    last = len(rounds) - 1
    return (
        [rounds[round(i * last / (MOST - 1))] for i in range(MOST)]
        if last >= MOST
        else list(rounds)
    )


def draw_by_round(
    shares: pd.DataFrame, methods: Sequence[str], xlabel: str, marks: Sequence[float] = ()
) -> Drawing:
    """Horizontal bars, one an index entry, a panel a method and round. All panels have the same scale.

    They are drawn on one axis, side by side: as axes of their own, a hundred panels would take ten times as long.

    Args:
        shares: Values from 0 to 1; index: names of bars, from the top; columns (method, round). A panel without a
            column, or with zeros alone, says "none".
        methods: All methods; a method keeps its colour through all charts.
        xlabel: What a bar is.
        marks: Where dotted lines cross each panel; 0 is above the first bar, 1 below it. Defaults to none.
    """
    rows, rounds = (list(dict.fromkeys(shares.columns.get_level_values(level))) for level in (0, 1))
    ticks, n = MaxNLocator(nbins=2).tick_values(0, 100 * shares.max().max()), len(shares)
    left = {number: i * 1.12 * ticks[-1] for i, number in enumerate(sorted(rounds))}
    above = {method: i * (n + LINES) for i, method in enumerate(rows)}
    with rc_context({**STYLE, 'font.size': 8}):
        figure, axis = new_figure(8.4, 0.4 + 0.13 * len(rows) * (n + LINES))
        for method, y in above.items():
            axis.text(0, y - 1.4, method, fontsize=9, fontweight='bold')
            for number, x in left.items():
                axis.text(x, y - 0.3, f'round {number}')
                _panel(axis, x, y, ticks, n, marks)
                if (method, number) in shares and shares[method, number].any():
                    axis.barh(
                        [y + 0.5 + i for i in range(n)],
                        100 * shares[method, number],
                        0.8,
                        left=x,
                        color=colour_of(method, methods),
                    )
                else:
                    axis.text(x + ticks[-1] / 2, y + n / 2, 'none', ha='center', va='center')
        axis.set_yticks(
            [y + 0.5 + i for y in above.values() for i in range(n)],
            [_short(str(name)) for name in shares.index] * len(rows),
        )
        places = [x + t for x in left.values() for t in ticks[:-1]] + [
            max(left.values()) + ticks[-1]
        ]
        axis.set_xticks(places, [f'{t:g}' for t in ticks[:-1]] * len(left) + [f'{ticks[-1]:g}'])
        axis.tick_params(length=0)
        axis.set(xlabel=xlabel, xlim=(0, max(left.values()) + ticks[-1]))
        axis.set_ylim(len(rows) * (n + LINES) - LINES, -LINES)
        axis.grid(visible=False)
        axis.spines[:].set_visible(False)
        return render(figure)


def _panel(
    axis: Axes, x: float, y: float, ticks: Sequence[float], n: int, marks: Sequence[float]
) -> None:
    """The lines of a panel, whose first bar lies below y."""
    axis.vlines([x + t for t in ticks[1:]], y, y + n, color=GRID, lw=0.6, zorder=0)
    axis.vlines(x, y, y + n, color=INK, lw=0.6)
    axis.hlines([y + mark for mark in marks], x, x + ticks[-1], color=INK, lw=0.6, ls=':')


def _short(name: str) -> str:
    return f'{name[:17]}...' if len(name) > 20 else name
