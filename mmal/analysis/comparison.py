"""The report of a comparison: points, tables, charts and one page, from the files of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ..artifacts import write_bytes, write_json
from ..errors import InputError
from . import sections as s
from .against_baseline import targets
from .choice import SIDES, box_size_table, choice_table, choices, class_table
from .comparison_folder import Comparison, read_comparison
from .draw_comparison import draw_box_sizes, draw_curves, draw_seconds, draw_shares
from .overlap import overlap_table
from .page import ReportFigure, Section, page
from .published import published_curve, published_methods, tables
from .report_table import markdown
from .tables import point_records, points_table, round_means, seconds_table, with_missing

FILES = {
    'points.csv': 'every point of every run, with all metrics and seconds',
    'points.json': 'the same as JSON',
    'tables.csv': 'means by method and round, with the number of seeds and what is missing',
    'tables.md': 'all tables of this page as Markdown, and one in the form of the ISAL paper',
    'chosen_classes.csv': 'labels chosen by method, seed, round and class',
    'chosen_box_sizes.csv': 'boxes chosen by method, seed, round and side',
    'overlap.csv': 'overlap of every two methods by round',
}
"""What is written beside the page and ``figures/``."""

MAX_CLASSES = 25
"""Classes in the chart; the CSV has all."""


def write_comparison(work_dir: str | Path, published: int | None = None) -> Comparison:
    """Renew the report of a comparison: :data:`FILES`, ``figures/*.png`` and ``*.svg``, and ``comparison.html``.

    It reads files only, may be called while runs are still going, and gives the same bytes for the same files.

    Args:
        work_dir: Folder that holds ``comparison.json``.
        published: Number of a table of the ISAL paper, 4 to 11, to draw dashed over the learning curves; its values
            must be in the unit of the metric (per cent for classification, fractions for detection). Defaults to None.

    Returns:
        What was read.

    Raises:
        InputError: If ``comparison.json`` is missing or says something that cannot be.
    """
    work_dir, comparison = Path(work_dir), read_comparison(work_dir)
    means, points, found = round_means(comparison), points_table(comparison), choices(comparison)
    classes, sizes, overlap = class_table(found), box_size_table(found), overlap_table(found)
    report = []
    if comparison.done():
        report = [_curves(comparison, means, points, _published(published)), *_numbers(comparison, means),
                  _choice(comparison, choice_table(found), classes, sizes), _overlap(comparison, overlap),
                  _seconds(comparison)]
    for name, table in (('points', points), ('tables', with_missing(means, comparison)), ('chosen_classes', classes),
                        ('chosen_box_sizes', sizes), ('overlap', overlap)):
        write_bytes(work_dir / f'{name}.csv', table.to_csv(index=False, lineterminator='\n').encode())
    write_json(work_dir / 'points.json', point_records(comparison))
    write_bytes(work_dir / 'tables.md', _markdown(comparison, means, report).encode())
    for figure in (figure for section in report for figure in section.figures):
        write_bytes(work_dir / 'figures' / f'{figure.name}.png', figure.drawing.png)
        write_bytes(work_dir / 'figures' / f'{figure.name}.svg', figure.drawing.svg)
    write_bytes(work_dir / 'comparison.html', page(comparison, report, FILES).encode())
    return comparison


def _published(table: int | None) -> dict[str, list[dict]]:
    if table is None:
        return {}
    if table not in tables():
        raise InputError(f'published: expected the number of a table of the ISAL paper, 4 to 11, found {table!r}.')
    return {f'{m}, published (Table {table})': published_curve(table, m) for m in published_methods(table)}


def _curves(comparison: Comparison, means: pd.DataFrame, points: pd.DataFrame,
            published: Mapping[str, Sequence[dict]]) -> Section:
    figures = [ReportFigure(
        f'learning_curves_{unit}', f'Learning curves: {comparison.metric} over labeled {unit} for '
        f'{", ".join(comparison.methods)}. The tables below hold every value.',
        f'{comparison.metric} over labeled {unit}. Thick: the mean of the seeds that are done; thin: each seed. '
        + ('Band: 95 % t-interval of the mean, where two seeds or more are in it. ' if means['n'].max() > 1 else
           'One seed only, so there is no band. ')
        + 'n in the legend is the number of seeds in a mean.'
        + (' Broken lines without marks: the values the ISAL paper published.' if published else ''),
        draw_curves(means, points, comparison.methods, comparison.metric, unit, published))
        for unit in comparison.units]
    text = [] if comparison.has_boxes else [
        'There is no axis of boxes: in every round the number of boxes, or labels, equals the number of images, as in '
        'classification with one label an image.']
    return Section('curves', 'Learning curves', text, figures)


def _numbers(comparison: Comparison, means: pd.DataFrame) -> list[Section]:
    d, units = s.digits(means), comparison.units
    return [Section('rounds', 'Every round', [s.ROUNDS], tables=s.round_tables(comparison, means)),
            Section('area', 'Area under the budget curve', [s.INTERVAL],
                    tables=[s.area_table(comparison, u, d) for u in units]),
            _saved(comparison, means, s.target_text(comparison, means, d)),
            Section('pairwise', 'Which method beats which', tables=[s.pairwise_table(comparison)])]


def _saved(comparison: Comparison, means: pd.DataFrame, target: str) -> Section:
    if targets(comparison, means)[0] is None:
        return Section('saved', 'Annotation saved', [target])
    return Section('saved', 'Annotation saved', [target, s.SAVED, s.INTERVAL],
                   tables=[s.saving_table(comparison, means, unit) for unit in comparison.units])


def _choice(comparison: Comparison, queries: pd.DataFrame, classes: pd.DataFrame, sizes: pd.DataFrame) -> Section:
    figures, what = [], 'boxes' if comparison.has_boxes else 'labels'
    if len(classes):
        shares = _shares(classes, 'class', 'labels')
        shown = shares.loc[shares.mean(axis=1).sort_values(ascending=False, kind='stable').index[:MAX_CLASSES]]
        more = f' The {len(shown)} most frequent of {len(shares)} classes.' if len(shares) > len(shown) else ''
        figures.append(ReportFigure(
            'chosen_classes', f'Bar chart: share of each class among the {what} that each method chose.',
            f'Share of each class among all {what} chosen in all rounds by all done seeds.{more} By round: '
            'chosen_classes.csv.', draw_shares(shown, comparison.methods, f'% of the {what} chosen')))
    if sizes['boxes'].sum():
        shares = _shares(sizes, 'side_from', 'boxes').iloc[1:-1]
        figures.append(ReportFigure(
            'chosen_box_sizes', 'Chart: share of the boxes that each method chose, by size.',
            'Share of all boxes chosen, by the side of a square of equal area, in steps of the square root of 2. '
            f'Dotted: the limits of small, medium and large, 32 and 96. Boxes below {SIDES[0]:g} pixels, or from '
            f'{SIDES[-1]:g} on, count in the shares but are not drawn. By round: chosen_box_sizes.csv.',
            draw_box_sizes(shares, SIDES, comparison.methods)))
    text = [s.CHOSEN, s.SIZES] if comparison.has_boxes else [s.CHOSEN]
    if not len(queries):
        text = ['No query of a done run could be read (round_XX/selected.json and labeled.json).']
    return Section('chosen', 'What was chosen', text, figures, s.choice_tables(queries, comparison))


def _shares(table: pd.DataFrame, by: str, count: str) -> pd.DataFrame:
    """Share of each value of a column among all counts of a method; a column a method."""
    total = table.pivot_table(index=by, columns='method', values=count, aggfunc='sum', fill_value=0, sort=False)
    return total / total.sum()


def _overlap(comparison: Comparison, overlap: pd.DataFrame) -> Section:
    title = 'Overlap between methods'
    if not len(overlap):
        return Section('overlap', title, ['No two methods have queries of the same seed and round.'])
    return Section('overlap', title, tables=[s.overlap_report(overlap, comparison)])


def _seconds(comparison: Comparison) -> Section:
    seconds = seconds_table(comparison)
    phases = seconds.drop(columns=['total', 'rounds'])
    if phases.empty:
        return Section('seconds', 'Seconds', ['No run recorded seconds.'])
    figure = ReportFigure('seconds', 'Bar chart: mean seconds of a round by method and phase. The table below holds '
                          'every value.', 'Mean seconds a round, by phase.', draw_seconds(phases))
    return Section('seconds', 'Seconds', [], [figure], [s.seconds_report(seconds, comparison)])


def _markdown(comparison: Comparison, means: pd.DataFrame, report: list[Section]) -> str:
    parts = [f'# {comparison.name}']
    if not comparison.done():
        parts += ['No run is done, so there is nothing to compare yet.', *(f'- {run}' for run in comparison.not_done())]
    else:
        parts += ['## Steps', markdown(s.paper_tables(comparison, means))]
    for section in report:
        if section.tables:
            parts += [f'## {section.title}', *section.text, *map(markdown, section.tables)]
    return '\n\n'.join(part.rstrip() for part in parts) + '\n'
