"""The page of a comparison, from its template: self-contained, without scripts."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .comparison_folder import Comparison
from .draw_comparison import SERIES, Drawing
from .inline_svg import inline
from .report_table import ReportTable

DARK = ('#58b0ec', '#ff9a57', '#3ccfa2', '#e6a3c8', '#e6d24a', '#a8dbff', '#b8b8b8')
"""The charts' colours in dark mode, in the order of SERIES."""


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


@functools.cache
def environment() -> Environment:
    """Where the templates of pages are found."""
    return Environment(loader=FileSystemLoader(Path(__file__).with_name('templates')), autoescape=True,
                       undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def page(comparison: Comparison, sections: list[Section], files: Mapping[str, str]) -> str:
    """HTML of the page. Everything from the comparison is escaped.

    Args:
        comparison: What was compared.
        sections: In order.
        files: What each file beside the page holds, by its relative path.
    """
    charts = {f.name: Markup(inline(f.drawing.svg, f.name, f.alt)) for s in sections for f in s.figures}
    return environment().get_template('comparison.html.j2').render(
        comparison=comparison, sections=sections, files=files, charts=charts,
        light=dict(enumerate(SERIES)), dark=dict(enumerate(DARK)))
