"""The jinja2 environment that renders the HTML pages."""

from __future__ import annotations

import functools
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


@functools.cache
def template_environment() -> Environment:
    """The environment of the templates in ``templates/``.

    Whatever a template inserts is escaped, and a name that the template is not given is an error.
    """
    return Environment(
        loader=FileSystemLoader(Path(__file__).with_name('templates')),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
