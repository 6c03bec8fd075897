"""Equations as MathML, made when the site is built: no script, no font, nothing from elsewhere when it is read."""

from __future__ import annotations

from docutils import nodes
from latex2mathml.converter import convert


def _inline(translator, node) -> None:
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(translator, node) -> None:
    translator.body.append(f'<div class="equation">{convert(node.astext(), display="block")}</div>\n')
    raise nodes.SkipNode


def setup(app) -> dict:
    app.add_html_math_renderer('mathml', (_inline, None), (_block, None))
    return dict(parallel_read_safe=True, parallel_write_safe=True)
