"""The HTML page of a comparison."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from mmal.benchmark.results import Comparison
from mmal.reporting.components import Section
from mmal.reporting.style import DARK, SERIES
from mmal.reporting.svg import inline
from mmal.reporting.templating import template_environment

from .cautions import cautions


def page(comparison: Comparison, sections: list[Section], files: Mapping[str, str]) -> str:
    """HTML of the page. Everything from the comparison is escaped.

    Args:
        comparison: The comparison with its runs.
        sections: Sections of the page, in order.
        files: Description of each file beside the page, by its relative path.

    Returns:
        Text of the page.
    """
    charts = {}
    for section in sections:
        for figure in section.figures:
            svg = inline(figure.drawing.svg, figure.name, figure.alt)
            charts[figure.name] = Markup(svg)
    template = template_environment().get_template('comparison.html.j2')
    return template.render(
        comparison=comparison,
        sections=sections,
        files=files,
        cautions=cautions(comparison),
        charts=charts,
        light=dict(enumerate(SERIES)),
        dark=dict(enumerate(DARK)),
    )
