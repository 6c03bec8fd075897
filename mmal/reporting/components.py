"""What a report is made of: sections, charts and tables, and how numbers and tables become text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .style import Drawing

DASH = '\N{EN DASH}'
"""Stands in a table where there is no value."""


@dataclass(frozen=True)
class ReportFigure:
    """One chart of a report.

    Attributes:
        name: Name of its files and of its place in the page: letters, digits and underscores.
        alt: What the chart shows, for readers who cannot see it.
        caption: What lines, bars and bands are.
        drawing: The chart.
    """

    name: str
    alt: str
    caption: str
    drawing: Drawing


@dataclass(frozen=True)
class ReportTable:
    """One table of a report.

    Attributes:
        caption: What the table shows.
        columns: Heads of the columns. The first is that of the row heads.
        rows: Cells of each row as text. The first of a row is its head.
        missing: Runs that are not in the table, one line each.
        notes: How to read the table.
    """

    caption: str
    columns: list[str]
    rows: list[list[str]]
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """One section of a page.

    Attributes:
        id: Id of its heading, which the navigation links to.
        title: The heading.
        text: Paragraphs before figures and tables.
        figures: Charts of the section.
        tables: Tables of the section.
        folded: Whether only the heading shows until a reader opens the section.
    """

    id: str
    title: str
    text: list[str] = field(default_factory=list)
    figures: list[ReportFigure] = field(default_factory=list)
    tables: list[ReportTable] = field(default_factory=list)
    folded: bool = False


def number(value: float | None, digits: int = 0) -> str:
    """A number as text, with commas between thousands; a dash if it is None or NaN.

    Args:
        value: The number.
        digits: Number of decimals. Defaults to 0.
    """
    if value is None or math.isnan(value):
        return DASH
    return f'{value:,.{digits}f}'


def signed(value: float | None, digits: int = 1) -> str:
    """A number as :func:`number` writes it, always with its sign.

    Args:
        value: The number.
        digits: Number of decimals. Defaults to 1.
    """
    if value is None or math.isnan(value):
        return DASH
    return f'{value:+,.{digits}f}'


def decimals_for(values: Iterable[float]) -> int:
    """Decimals that a metric is shown with: four for fractions, two for per cent and the like.

    Args:
        values: All values of the metric. NaN is none.
    """
    for value in values:
        if abs(value) > 1.5:
            return 2
    return 4


def markdown(table: ReportTable) -> str:
    """The table as Markdown, with its caption above it, and missing runs and notes below."""
    alignment = [':--', *['--:'] * (len(table.columns) - 1)]
    lines = [f'**{_cell(table.caption)}**', '']
    lines += markdown_grid(table.columns, alignment, table.rows)
    lines.append('')
    for run in table.missing:
        lines.append(f'- Missing: {_cell(run)}')
    for note in table.notes:
        lines.append(f'- {_cell(note)}')
    return '\n'.join(lines).rstrip() + '\n'


def markdown_grid(
    columns: Sequence[str], alignment: Sequence[str], rows: Iterable[Sequence[object]]
) -> list[str]:
    """The lines of a Markdown table.

    Args:
        columns: Heads of the columns.
        alignment: Markdown's rule under each head: '---', ':--' (left) or '--:' (right).
        rows: Cells of each row.
    """
    lines = [_line(columns), _line(alignment)]
    for row in rows:
        lines.append(_line(row))
    return lines


def _line(cells: Sequence[object]) -> str:
    return '| ' + ' | '.join(_cell(cell) for cell in cells) + ' |'


def _cell(content: object) -> str:
    """One line of text that neither ends the cell nor becomes HTML."""
    text = ' '.join(str(content).split())
    return text.replace('\\', '\\\\').replace('|', '\\|').replace('<', '&lt;')
