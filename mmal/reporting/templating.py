from __future__ import annotations

import functools
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


@functools.cache
def template_environment() -> Environment:
    """Where the templates of pages are found."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).with_name('templates')),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
