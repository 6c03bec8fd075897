"""The report of a comparison: points, tables, charts and one page, from the files of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mmal.benchmark.isal_paper.published import published_curve, published_methods, tables
from mmal.benchmark.report import sections as s
from mmal.benchmark.results import Comparison, read_comparison
from mmal.benchmark.stats.against_baseline import targets
from mmal.benchmark.stats.overlap import overlap_table
from mmal.benchmark.stats.selection import (
    box_size_table,
    class_table,
    selection_table,
    selections_of,
)
from mmal.benchmark.stats.tables import (
    point_records,
    points_table,
    round_means,
    seconds_table,
    with_missing,
)
from mmal.errors import InputError
from mmal.fileio.atomic import write_bytes
from mmal.fileio.text import write_json
from mmal.reporting.charts import draw_seconds
from mmal.reporting.components import ReportFigure, Section, markdown

from .curves import draw_curves
from .page import page
from .selection_section import selection_section

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
    means, points, found = (
        round_means(comparison),
        points_table(comparison),
        selections_of(comparison),
    )
    classes, sizes, overlap = class_table(found), box_size_table(found), overlap_table(found)
    report = []
    if comparison.done():
        report = [
            _curves(comparison, means, points, _published(published)),
            *_numbers(comparison, means),
            selection_section(comparison, selection_table(found), classes, sizes),
            _overlap(comparison, overlap),
            _seconds(comparison),
        ]
    for name, table in (
        ('points', points),
        ('tables', with_missing(means, comparison)),
        ('chosen_classes', classes),
        ('chosen_box_sizes', sizes),
        ('overlap', overlap),
    ):
        write_bytes(
            work_dir / f'{name}.csv', table.to_csv(index=False, lineterminator='\n').encode()
        )
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
        raise InputError(
            f'published: expected the number of a table of the ISAL paper, 4 to 11, found {table!r}.'
        )
    return {
        f'{m}, published (Table {table})': published_curve(table, m)
        for m in published_methods(table)
    }


def _curves(
    comparison: Comparison,
    means: pd.DataFrame,
    points: pd.DataFrame,
    published: Mapping[str, Sequence[dict]],
) -> Section:
    figures = [
        ReportFigure(
            f'learning_curves_{unit}',
            f'Learning curves: {comparison.metric} over labeled {unit} for '
            f'{", ".join(comparison.methods)}. The tables below hold every value.',
            f'{comparison.metric} over labeled {unit}. Thick: the mean of the seeds that are done; thin: each seed. '
            + (
                'Band: 95 % t-interval of the mean, where two seeds or more are in it. '
                if means['n'].max() > 1
                else 'One seed only, so there is no band. '
            )
            + 'n in the legend is the number of seeds in a mean.'
            + (
                ' Broken lines without marks: the values the ISAL paper published.'
                if published
                else ''
            ),
            draw_curves(means, points, comparison.methods, comparison.metric, unit, published),
        )
        for unit in comparison.units
    ]
    text = (
        []
        if comparison.has_boxes
        else [
            'There is no axis of boxes: in every round the number of boxes, or labels, equals the number of images, as in '
            'classification with one label an image.'
        ]
    )
    return Section('curves', 'Learning curves', text, figures)


def _numbers(comparison: Comparison, means: pd.DataFrame) -> list[Section]:
    d, units = s.digits(means), comparison.units
    return [
        Section('rounds', 'Every round', [s.ROUNDS], tables=s.round_tables(comparison, means)),
        Section(
            'area',
            'Area under the budget curve',
            [s.INTERVAL],
            tables=[s.area_table(comparison, u, d) for u in units],
        ),
        _saved(comparison, means, s.target_text(comparison, means, d)),
        Section('pairwise', 'Which method beats which', tables=[s.pairwise_table(comparison)]),
    ]


def _saved(comparison: Comparison, means: pd.DataFrame, target: str) -> Section:
    if targets(comparison, means)[0] is None:
        return Section('saved', 'Annotation saved', [target])
    return Section(
        'saved',
        'Annotation saved',
        [target, s.SAVED, s.INTERVAL],
        tables=[s.saving_table(comparison, means, unit) for unit in comparison.units],
    )


def _overlap(comparison: Comparison, overlap: pd.DataFrame) -> Section:
    title = 'Overlap between methods'
    if not len(overlap):
        return Section(
            'overlap', title, ['No two methods have queries of the same seed and round.']
        )
    return Section('overlap', title, tables=[s.overlap_report(overlap, comparison)])


def _seconds(comparison: Comparison) -> Section:
    seconds = seconds_table(comparison)
    phases = seconds.drop(columns=['total', 'rounds'])
    if phases.empty:
        return Section('seconds', 'Seconds', ['No run recorded seconds.'])
    figure = ReportFigure(
        'seconds',
        'Bar chart: mean seconds of a round by method and phase. The table below holds '
        'every value.',
        'Mean seconds a round, by phase.',
        draw_seconds(phases),
    )
    return Section('seconds', 'Seconds', [], [figure], [s.seconds_report(seconds, comparison)])


def _markdown(comparison: Comparison, means: pd.DataFrame, report: list[Section]) -> str:
    parts = [f'# {comparison.name}']
    if not comparison.done():
        parts += [
            'No run is done, so there is nothing to compare yet.',
            *(f'- {run}' for run in comparison.not_done()),
        ]
    else:
        parts += ['## Steps', markdown(s.paper_tables(comparison, means))]
    for section in report:
        if section.tables:
            parts += [f'## {section.title}', *section.text, *map(markdown, section.tables)]
    return '\n\n'.join(part.rstrip() for part in parts) + '\n'
