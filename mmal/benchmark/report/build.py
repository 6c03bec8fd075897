"""The report of a comparison: points, tables, charts and one page, from the files of its runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from mmal.benchmark.isal_paper.published import (
    PublishedPoint,
    published_curve,
    published_methods,
    tables,
)
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

from . import sections as s
from .answer_section import answer_section
from .cautions import cautions
from .curve_sections import curves_section, differences_section, seeds_section
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
    """Renew the report of a comparison.

    Written are :data:`FILES`, ``figures/*.png`` and ``*.svg``, and ``comparison.html``.

    It reads files only, may be called while runs are still going, and gives the same bytes for the
    same files.

    Args:
        work_dir: Folder that holds ``comparison.json``.
        published: Number of a table of the ISAL paper, 4 to 11, to draw dashed over the learning
            curves; its values must be in the unit of the metric (per cent for classification,
            fractions for detection). Defaults to None: no table.

    Returns:
        The comparison that was read.

    Raises:
        InputError: If ``comparison.json`` is missing or is not what was written, or if the paper
            has no such table.
    """
    work_dir = Path(work_dir)
    comparison = read_comparison(work_dir)
    means = round_means(comparison)
    points = points_table(comparison)
    selections = selections_of(comparison)
    classes = class_table(selections)
    sizes = box_size_table(selections)
    overlap = overlap_table(selections)
    sections = []
    if comparison.done():
        folded = [
            curves_section(comparison, means, published_curves(published)),
            seeds_section(comparison, means, points),
            *_number_sections(comparison, means),
            selection_section(comparison, selection_table(selections), classes, sizes),
            _overlap_section(comparison, overlap),
            _seconds_section(comparison),
        ]
        sections = [answer_section(comparison, means)]
        if comparison.baseline is not None and comparison.done(comparison.baseline):
            sections.append(differences_section(comparison, comparison.baseline))
        sections += [replace(section, folded=True) for section in folded]
    _write_csv(work_dir / 'points.csv', points)
    _write_csv(work_dir / 'tables.csv', with_missing(means, comparison))
    _write_csv(work_dir / 'chosen_classes.csv', classes)
    _write_csv(work_dir / 'chosen_box_sizes.csv', sizes)
    _write_csv(work_dir / 'overlap.csv', overlap)
    write_json(work_dir / 'points.json', point_records(comparison))
    write_bytes(work_dir / 'tables.md', _markdown(comparison, means, sections).encode())
    _write_figures(work_dir / 'figures', sections)
    write_bytes(work_dir / 'comparison.html', page(comparison, sections, FILES).encode())
    return comparison


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    write_bytes(path, table.to_csv(index=False, lineterminator='\n').encode())


def _write_figures(folder: Path, sections: list[Section]) -> None:
    for section in sections:
        for figure in section.figures:
            write_bytes(folder / f'{figure.name}.png', figure.drawing.png)
            write_bytes(folder / f'{figure.name}.svg', figure.drawing.svg)


def published_curves(table: int | None) -> dict[str, list[PublishedPoint]]:
    """Curves of a table of the ISAL paper, by label.

    Args:
        table: Number of the table, 4 to 11; None for no curves.

    Returns:
        Points by a label that begins with the paper's name of the method.

    Raises:
        InputError: If the paper has no such table.
    """
    if table is None:
        return {}
    if table not in tables():
        raise InputError(
            'published: expected the number of a table of the ISAL paper, 4 to 11, found '
            f'{table!r}.'
        )
    curves = {}
    for method in published_methods(table):
        curves[f'{method}, published (Table {table})'] = published_curve(table, method)
    return curves


def _number_sections(comparison: Comparison, means: pd.DataFrame) -> list[Section]:
    """Sections that are tables only: rounds, areas, savings and the pairwise matrix."""
    decimals = s.digits(means)
    area_tables = [s.area_table(comparison, unit, decimals) for unit in comparison.units]
    pairwise_table = s.pairwise_table(comparison)
    return [
        Section('rounds', 'Every round', [s.ROUNDS], tables=s.round_tables(comparison, means)),
        Section('area', 'Area under the budget curve', [s.TESTS], tables=area_tables),
        _saving_section(comparison, means, decimals),
        Section('pairwise', 'Which method beats which', tables=[pairwise_table]),
    ]


def _saving_section(comparison: Comparison, means: pd.DataFrame, decimals: int) -> Section:
    text = [s.target_text(comparison, means, decimals)]
    target, _ = targets(comparison, means)
    if target is None:
        return Section('saved', 'Annotation saved', text)
    text += [s.SAVED, s.TESTS]
    saving_tables = [s.saving_table(comparison, means, unit) for unit in comparison.units]
    return Section('saved', 'Annotation saved', text, tables=saving_tables)


def _overlap_section(comparison: Comparison, overlap: pd.DataFrame) -> Section:
    title = 'Overlap between methods'
    if not len(overlap):
        text = ['No two methods have queries of the same seed and round.']
        return Section('overlap', title, text)
    return Section('overlap', title, tables=[s.overlap_report(overlap, comparison)])


def _seconds_section(comparison: Comparison) -> Section:
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
    table = s.seconds_report(seconds, comparison)
    return Section('seconds', 'Seconds', [], [figure], [table])


def _markdown(comparison: Comparison, means: pd.DataFrame, sections: list[Section]) -> str:
    """All tables as Markdown."""
    parts = [f'# {comparison.name}', *cautions(comparison)]
    if comparison.done():
        parts += ['## Steps', markdown(s.paper_tables(comparison, means))]
    else:
        parts.append('No run is done, so there is nothing to compare yet.')
        for run in comparison.not_done():
            parts.append(f'- {run}')
    for section in sections:
        if section.tables:
            parts += [f'## {section.title}', *section.text]
            parts += [markdown(table) for table in section.tables]
    return '\n\n'.join(part.rstrip() for part in parts) + '\n'
