"""A matplotlib SVG made part of a page: its own ids, the page's colours, a name for screen readers."""

from __future__ import annotations

import re
from html import escape

from .style import GRID, INK, PAPER, SERIES

VARIABLES = {INK: '--ink', GRID: '--grid', PAPER: '--paper'} | {
    c: f'--series-{i}' for i, c in enumerate(SERIES)
}
"""CSS variable for each colour of the charts; the page gives them values for light and dark."""


def inline(svg: bytes, prefix: str, name: str) -> str:
    """The ``<svg>`` element for an HTML page.

    Args:
        svg: Of :class:`mmal.reporting.style.Drawing`.
        prefix: Put before every id; ids must be unique in a page, and matplotlib's repeat from chart to chart.
        name: Short text alternative; the figure's caption and tables say the rest.
    """
    text = svg.decode()
    text = text[text.index('<svg') :]
    # its style would hold for the whole page, which states it for charts only
    text = re.sub(r'<(metadata|style)\b.*?</\1>', '', text, flags=re.DOTALL)
    text = re.sub(r'(<[^<>]*?\sid=")', rf'\g<1>{prefix}-', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf'\g<1>{prefix}-', text)
    # only inside style attributes, so that no text of a user is touched
    text = re.sub(r'style="[^"]*"', lambda m: re.sub(r'#[0-9a-f]{6}\b', _variable, m[0]), text)
    head = re.match(r'<svg[^>]*>', text)[0]
    box = re.search(r'viewBox="([^"]*)"', head)[1]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{box}" '
        f'role="img" aria-labelledby="{prefix}-name"><title id="{prefix}-name">{escape(name)}</title>'
        f'{text[len(head) :].strip()}'
    )


def _variable(match: re.Match) -> str:
    name = VARIABLES.get(match[0])
    return f'var({name}, {match[0]})' if name else match[0]
