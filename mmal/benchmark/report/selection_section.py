"""The section of a comparison's report on what each method chose: in all, and round by round."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mmal.benchmark.report import sections as s
from mmal.benchmark.results import Comparison
from mmal.reporting.charts import SIDES, draw_box_sizes, draw_shares
from mmal.reporting.components import ReportFigure, Section

from .rounds_chart import MOST, draw_by_round, shown_rounds

MAX_CLASSES = 25
"""Classes in the chart of all rounds; the CSV has all."""

CLASSES_A_ROUND = 12
"""Classes with a bar of their own in the chart of each round; the others share one."""


def selection_section(
    comparison: Comparison, queries: pd.DataFrame, classes: pd.DataFrame, sizes: pd.DataFrame
) -> Section:
    """Charts and tables.

    Args:
        comparison: What was compared.
        queries: Of :func:`mmal.benchmark.stats.selection.selection_table`.
        classes: Of :func:`mmal.benchmark.stats.selection.class_table`.
        sizes: Of :func:`mmal.benchmark.stats.selection.box_size_table`.
    """
    figures, what = [], 'boxes' if comparison.has_boxes else 'labels'
    if len(classes):
        figures += _classes(comparison, classes, what)
    if sizes['boxes'].sum():
        figures += _sizes(comparison, sizes)
    text = [s.CHOSEN, s.SIZES] if comparison.has_boxes else [s.CHOSEN]
    if not len(queries):
        text = ['No query of a done run could be read (round_XX/selected.json and labeled.json).']
    return Section(
        'chosen', 'What was chosen', text, figures, s.selection_tables(queries, comparison)
    )


def _classes(comparison: Comparison, classes: pd.DataFrame, what: str) -> list[ReportFigure]:
    shares = _shares(classes, 'class', 'labels', 'method')
    order = shares.mean(axis=1).sort_values(ascending=False, kind='stable').index
    shown = shares.loc[order[:MAX_CLASSES]]
    more = (
        f' The {len(shown)} most frequent of {len(shares)} classes.'
        if len(shares) > len(shown)
        else ''
    )
    whole = ReportFigure(
        'chosen_classes',
        f'Bar chart: share of each class among the {what} that each method chose.',
        f'Share of each class among all {what} chosen in all rounds by all done seeds.{more}',
        draw_shares(shown, comparison.methods, f'% of the {what} chosen'),
    )
    table, cut = _some_rounds(classes)
    if not len(table):
        return [whole]
    shares = _shares(table, 'class', 'labels', 'method', 'round').reindex(order, fill_value=0.0)
    if len(order) > CLASSES_A_ROUND + 1:
        rest = shares.iloc[CLASSES_A_ROUND:]
        shares = pd.concat(
            [shares.iloc[:CLASSES_A_ROUND], rest.sum().to_frame(f'{len(rest)} others').T]
        )
    return [
        whole,
        ReportFigure(
            'chosen_classes_by_round',
            f'Bar charts, one a method and round: share of each class among the {what} chosen.',
            f'The same round by round: a row a method, a column a round, all on one scale.{cut} All numbers: '
            'chosen_classes.csv.',
            draw_by_round(shares, comparison.methods, f'% of the {what} chosen in the round'),
        ),
    ]


def _sizes(comparison: Comparison, sizes: pd.DataFrame) -> list[ReportFigure]:
    whole = ReportFigure(
        'chosen_box_sizes',
        'Chart: share of the boxes that each method chose, by size.',
        'Share of all boxes chosen, by the side of a square of equal area, in steps of the square root of 2. '
        f'Dotted: the limits of small, medium and large, 32 and 96. Boxes below {SIDES[0]:g} pixels, or from '
        f'{SIDES[-1]:g} on, count in the shares but are not drawn.',
        draw_box_sizes(
            _shares(sizes, 'side_from', 'boxes', 'method').iloc[1:-1], SIDES, comparison.methods
        ),
    )
    table, cut = _some_rounds(sizes)
    shares = _shares(table, 'side_from', 'boxes', 'method', 'round')
    filled = np.flatnonzero(shares.sum(axis=1))
    if not len(filled):
        return [whole]
    first, last = filled[0], filled[-1]
    marks = [1 + 2 * math.log2(limit / SIDES[0]) - first for limit in (32, 96)]
    shares.index = [
        f'below {SIDES[0]:g}',
        *(f'{a:.0f} to {b:.0f}' for a, b in zip(SIDES, SIDES[1:], strict=False)),
        f'from {SIDES[-1]:g}',
    ]
    return [
        whole,
        ReportFigure(
            'chosen_box_sizes_by_round',
            'Bar charts, one a method and round: share of the boxes chosen, by size.',
            'The same round by round: a row a method, a column a round, all on one scale; sides in pixels, from the '
            f'smallest boxes chosen to the largest.{cut} All numbers: chosen_box_sizes.csv.',
            draw_by_round(
                shares.iloc[first : last + 1],
                comparison.methods,
                '% of the boxes chosen in the round',
                [mark for mark in marks if 0 <= mark <= last + 1 - first],
            ),
        ),
    ]


def _shares(table: pd.DataFrame, by: str, count: str, *columns: str) -> pd.DataFrame:
    """Share of each value of a column among all counts of a method, or of a method's round; a column each."""
    total = table.pivot_table(
        index=by, columns=list(columns), values=count, aggfunc='sum', fill_value=0, sort=False
    )
    return (total / total.sum()).fillna(0.0)


def _some_rounds(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rounds that are drawn, and a sentence if that is not all."""
    rounds = sorted(table['round'].unique())
    shown = shown_rounds(rounds)
    return table[table['round'].isin(shown)], f' {MOST} of {len(rounds)} rounds.' if len(
        rounds
    ) > len(shown) else ''
