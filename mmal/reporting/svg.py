"""A matplotlib SVG in a page: its own ids, the page's colours, a name for screen readers."""

from __future__ import annotations

import re
from html import escape

from .style import GRID, INK, PAPER, SERIES

VARIABLES = {INK: '--ink', GRID: '--grid', PAPER: '--paper'}
"""CSS variable for each colour of the charts; the page gives them values for light and dark."""
VARIABLES |= {colour: f'--series-{place}' for place, colour in enumerate(SERIES)}


def inline(svg: bytes, prefix: str, name: str) -> str:
    """The ``<svg>`` element of a chart, to be put into an HTML page.

    Args:
        svg: The SVG of a :class:`~mmal.reporting.style.Drawing`.
        prefix: Text put before every id. Ids must be unique in a page, and matplotlib's repeat from
            chart to chart.
        name: Short text alternative of the chart. The figure's caption and tables hold the rest.

    Raises:
        ValueError: If the bytes are no SVG as matplotlib writes it.
    """
    text = svg.decode()
    text = text[text.index('<svg') :]
    # Its style would hold for the whole page, which states it for charts only.
    text = re.sub(r'<(metadata|style)\b.*?</\1>', '', text, flags=re.DOTALL)
    text = re.sub(r'(<[^<>]*?\sid=")', rf'\g<1>{prefix}-', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf'\g<1>{prefix}-', text)
    # Colours are replaced inside style attributes only, so that no text of a user is touched.
    text = re.sub(r'style="[^"]*"', _with_variables, text)
    head = re.match(r'<svg[^>]*>', text)
    view_box = re.search(r'viewBox="([^"]*)"', head[0]) if head else None
    if head is None or view_box is None:
        raise ValueError('The bytes are no SVG with a viewBox.')
    body = text[head.end() :].strip()
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{view_box[1]}" role="img" aria-labelledby="{prefix}-name">'
        f'<title id="{prefix}-name">{escape(name)}</title>{body}'
    )


def _with_variables(style: re.Match[str]) -> str:
    """A style attribute whose colours are the page's variables."""
    return re.sub(r'#[0-9a-f]{6}\b', _variable, style[0])


def _variable(colour: re.Match[str]) -> str:
    """The CSS variable of a colour of the charts, or the colour itself if it is another."""
    name = VARIABLES.get(colour[0])
    if name is None:
        return colour[0]
    return f'var({name}, {colour[0]})'
