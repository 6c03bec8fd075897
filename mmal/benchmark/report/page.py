from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from mmal.benchmark.results import Comparison
from mmal.reporting.components import Section
from mmal.reporting.style import DARK, SERIES
from mmal.reporting.svg import inline
from mmal.reporting.templating import template_environment


def page(comparison: Comparison, sections: list[Section], files: Mapping[str, str]) -> str:
    """HTML of the page. Everything from the comparison is escaped.

    Args:
        comparison: What was compared.
        sections: In order.
        files: What each file beside the page holds, by its relative path.
    """
    charts = {
        f.name: Markup(inline(f.drawing.svg, f.name, f.alt)) for s in sections for f in s.figures
    }
    return (
        template_environment()
        .get_template('comparison.html.j2')
        .render(
            comparison=comparison,
            sections=sections,
            files=files,
            charts=charts,
            light=dict(enumerate(SERIES)),
            dark=dict(enumerate(DARK)),
        )
    )
