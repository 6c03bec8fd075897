"""The section of a comparison's report on what each method chose: in all, and round by round."""

from __future__ import annotations

import math
from collections.abc import Hashable

import numpy as np
import pandas as pd

from mmal.benchmark.results import Comparison
from mmal.benchmark.stats.selection import SIZE_GROUPS
from mmal.reporting.charts import SIDES, draw_box_sizes, draw_shares
from mmal.reporting.components import ReportFigure, ReportTable, Section, number

from .rounds_chart import MAX_ROUNDS, draw_by_round, shown_rounds
from .sections import missing

CHOSEN = (
    'What a query of round r chose is trained on from round r + 1 on. Balance is the entropy of '
    'the class '
    'histogram: 1 if all classes that any method chose are equally frequent, 0 if there is only '
    'one.'
)
SIZES = "Small is below 32 x 32 pixels, large from 96 x 96 on, by the box's own area."

MAX_CLASSES = 25
"""Number of classes in the chart of all rounds; the CSV has all."""

CLASSES_A_ROUND = 12
"""Number of classes with a bar of their own in the chart of each round; the others share one."""

SIZE_LIMITS = (32, 96)
"""Sides in pixels where COCO's medium and large boxes begin."""


def selection_section(
    comparison: Comparison, queries: pd.DataFrame, classes: pd.DataFrame, sizes: pd.DataFrame
) -> Section:
    """Charts and tables of what was chosen.

    Args:
        comparison: The comparison with its runs.
        queries: Table of :func:`mmal.benchmark.stats.selection.selection_table`.
        classes: Table of :func:`mmal.benchmark.stats.selection.class_table`.
        sizes: Table of :func:`mmal.benchmark.stats.selection.box_size_table`.

    Returns:
        The section.
    """
    figures = []
    if len(classes):
        label_word = 'boxes' if comparison.has_boxes else 'labels'
        figures += _class_figures(comparison, classes, label_word)
    if sizes['boxes'].sum():
        figures += _size_figures(comparison, sizes)
    text = [CHOSEN]
    if comparison.has_boxes:
        text.append(SIZES)
    if not len(queries):
        text = ['No query of a done run could be read (round_XX/selected.json and labeled.json).']
    tables = selection_tables(queries, comparison)
    return Section('chosen', 'What was chosen', text, figures, tables)


def _class_figures(
    comparison: Comparison, classes: pd.DataFrame, label_word: str
) -> list[ReportFigure]:
    """Shares of the classes, in all rounds and in each."""
    shares = _shares(classes, 'class', 'labels', ['method'])
    by_frequency = shares.mean(axis=1).sort_values(ascending=False, kind='stable').index
    figures = [_figure_of_all_classes(comparison, shares.loc[by_frequency], label_word)]
    drawn, note = _drawn_rounds(classes)
    if len(drawn):
        shares_by_round = _shares(drawn, 'class', 'labels', ['method', 'round'])
        shares_by_round = shares_by_round.reindex(by_frequency, fill_value=0.0)
        chart = draw_by_round(
            _with_others(shares_by_round),
            comparison.methods,
            f'% of the {label_word} chosen in the round',
        )
        figure = ReportFigure(
            'chosen_classes_by_round',
            f'Bar charts, one a method and round: share of each class among the {label_word} '
            'chosen.',
            f'The same round by round: a row a method, a column a round, all on one scale.{note} '
            'All numbers: '
            'chosen_classes.csv.',
            chart,
        )
        figures.append(figure)
    return figures


def _figure_of_all_classes(
    comparison: Comparison, shares: pd.DataFrame, label_word: str
) -> ReportFigure:
    """Shares of the most frequent classes in all rounds, from shares in the order of frequency."""
    shown = shares.iloc[:MAX_CLASSES]
    note = ''
    if len(shares) > len(shown):
        note = f' The {len(shown)} most frequent of {len(shares)} classes.'
    return ReportFigure(
        'chosen_classes',
        f'Bar chart: share of each class among the {label_word} that each method chose.',
        f'Share of each class among all {label_word} chosen in all rounds by all done seeds.{note}',
        draw_shares(shown, comparison.methods, f'% of the {label_word} chosen'),
    )


def _with_others(shares: pd.DataFrame) -> pd.DataFrame:
    """Shares of the first classes, with the others summed; a single other class keeps its name."""
    if len(shares) <= CLASSES_A_ROUND + 1:
        return shares
    others = shares.iloc[CLASSES_A_ROUND:]
    sum_of_others = others.sum().to_frame(f'{len(others)} others').T
    summed: pd.DataFrame = pd.concat([shares.iloc[:CLASSES_A_ROUND], sum_of_others])
    return summed


def _size_figures(comparison: Comparison, sizes: pd.DataFrame) -> list[ReportFigure]:
    """Shares of the box sizes, in all rounds and in each."""
    # the first and the last bin have no finite limits
    shares = _shares(sizes, 'side_from', 'boxes', ['method']).iloc[1:-1]
    figure_of_all = ReportFigure(
        'chosen_box_sizes',
        'Chart: share of the boxes that each method chose, by size.',
        'Share of all boxes chosen, by the side of a square of equal area, in steps of the square '
        'root of 2. '
        f'Dotted: the limits of small, medium and large, 32 and 96. Boxes below {SIDES[0]:g} '
        'pixels, or from '
        f'{SIDES[-1]:g} on, count in the shares but are not drawn.',
        draw_box_sizes(shares, SIDES, comparison.methods),
    )
    drawn, note = _drawn_rounds(sizes)
    shares_by_round = _shares(drawn, 'side_from', 'boxes', ['method', 'round'])
    filled = np.flatnonzero(shares_by_round.sum(axis=1))
    if not len(filled):
        return [figure_of_all]
    first_bin = int(filled[0])
    last_bin = int(filled[-1])
    shares_by_round.index = _size_names()
    figure_by_round = ReportFigure(
        'chosen_box_sizes_by_round',
        'Bar charts, one a method and round: share of the boxes chosen, by size.',
        'The same round by round: a row a method, a column a round, all on one scale; sides in '
        'pixels, from the '
        f'smallest boxes chosen to the largest.{note} All numbers: chosen_box_sizes.csv.',
        draw_by_round(
            shares_by_round.iloc[first_bin : last_bin + 1],
            comparison.methods,
            '% of the boxes chosen in the round',
            _size_marks(first_bin, last_bin),
        ),
    )
    return [figure_of_all, figure_by_round]


def _size_names() -> list[str]:
    """Names of all bins of box sizes."""
    names = [f'below {SIDES[0]:g}']
    for side_from, side_to in zip(SIDES[:-1], SIDES[1:], strict=True):
        names.append(f'{side_from:.0f} to {side_to:.0f}')
    names.append(f'from {SIDES[-1]:g}')
    return names


def _size_marks(first_bin: int, last_bin: int) -> list[float]:
    """Where COCO's limits lie, in bins below the upper edge of the first bin that is drawn."""
    marks = []
    for limit in SIZE_LIMITS:
        # the sides grow by the square root of 2 from bin to bin; one bin is before the first side
        mark = 1 + 2 * math.log2(limit / SIDES[0]) - first_bin
        if 0 <= mark <= last_bin + 1 - first_bin:
            marks.append(mark)
    return marks


def _shares(table: pd.DataFrame, index: str, counts: str, columns: list[Hashable]) -> pd.DataFrame:
    """Share of each value of a column among all counts of a method, or of a method's round."""
    totals = table.pivot_table(
        index=index, columns=columns, values=counts, aggfunc='sum', fill_value=0, sort=False
    )
    shares: pd.DataFrame = (totals / totals.sum()).fillna(0.0)
    return shares


def _drawn_rounds(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rounds that are drawn, and a sentence if they are not all."""
    rounds = sorted(table['round'].unique())
    shown = shown_rounds(rounds)
    note = ''
    if len(rounds) > len(shown):
        note = f' {MAX_ROUNDS} of {len(rounds)} rounds.'
    return table[table['round'].isin(shown)], note


def selection_tables(table: pd.DataFrame, comparison: Comparison) -> list[ReportTable]:
    """What every query chose.

    Args:
        table: Table of :func:`mmal.benchmark.stats.selection.selection_table`.
        comparison: The comparison, for the runs that are missing.

    Returns:
        One table per method.
    """
    columns = ['round', 'seeds', 'images']
    if comparison.has_boxes:
        columns += ['boxes', 'empty images', 'small %', 'medium %', 'large %']
    columns += ['classes', 'balance']
    tables = []
    for method in table['method'].unique():
        rows = []
        part = table[table['method'] == method]
        for round_number, queries in part.groupby('round'):
            rows.append(_selection_row(str(round_number), queries, comparison.has_boxes))
        caption = f'{method}: what each query chose, mean over seeds'
        tables.append(ReportTable(caption, columns, rows, missing(comparison, method)))
    return tables


def _selection_row(round_number: str, queries: pd.DataFrame, boxes: bool) -> list[str]:
    """Means over the queries of one method and round."""
    means = queries.mean(numeric_only=True)
    row = [round_number, str(len(queries)), number(means['images'], 1)]
    if boxes:
        row += [number(means['labels'], 1), number(means['empty'], 1)]
        labels = queries['labels'].sum()
        for group in SIZE_GROUPS:
            percent = 100 * queries[group].sum() / labels if labels else None
            row.append(number(percent, 1))
    row += [number(means['classes'], 1), number(means['balance'], 3)]
    return row
