"""A table for people: a caption, columns, rows of text, what is missing from it, and notes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .style import Drawing


@dataclass(frozen=True)
class ReportFigure:
    """One chart of a report.

    Attributes:
        name: Of its files, and of its place in the page; letters, digits and underscores.
        alt: What it shows, for who cannot see it.
        caption: What lines, bars and bands are.
        drawing: The chart.
    """

    name: str
    alt: str
    caption: str
    drawing: Drawing


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Attributes:
        id: Of its heading.
        title: The heading.
        text: Paragraphs before figures and tables.
        figures: Charts.
        tables: Tables.
    """

    id: str
    title: str
    text: list[str] = field(default_factory=list)
    figures: list[ReportFigure] = field(default_factory=list)
    tables: list[ReportTable] = field(default_factory=list)


@dataclass(frozen=True)
class ReportTable:
    """One table of a report.

    Attributes:
        caption: What it shows.
        columns: Heads; the first is of the row heads.
        rows: Texts; the first of a row is its head.
        missing: Runs that are not in it, a line each.
        notes: How to read it.
    """

    caption: str
    columns: list[str]
    rows: list[list[str]]
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def number(value: float | None, digits: int = 0) -> str:
    """A number with so many decimals and thousands apart; a dash if there is none."""
    return '–' if value is None or math.isnan(value) else f'{value:,.{digits}f}'


def signed(value: float | None, digits: int = 1) -> str:
    """The same with its sign."""
    return '–' if value is None or math.isnan(value) else f'{value:+,.{digits}f}'


def markdown(table: ReportTable) -> str:
    """The table as Markdown, with its caption above and the rest below."""

    def line(cells: list[str]) -> str:
        return '| ' + ' | '.join(_cell(c) for c in cells) + ' |'

    lines = [
        f'**{_cell(table.caption)}**',
        '',
        line(table.columns),
        line([':--', *['--:'] * (len(table.columns) - 1)]),
        *map(line, table.rows),
        '',
    ]
    lines += [f'- Missing: {_cell(text)}' for text in table.missing] + [
        f'- {_cell(text)}' for text in table.notes
    ]
    return '\n'.join(lines).rstrip() + '\n'


def _cell(text: str) -> str:
    """One line that neither ends the cell nor becomes HTML."""
    return (
        ' '.join(str(text).split()).replace('\\', '\\\\').replace('|', '\\|').replace('<', '&lt;')
    )
