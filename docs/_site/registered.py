"""What ``{registered} SAMPLERS`` in a page becomes: the docstring of everything in that registry of mmal."""

from __future__ import annotations

import inspect
import re

from mmal import registry as registries

PLACE = re.compile(r'^```\{registered\} (\w+)\n```$', re.MULTILINE)


def members(name: str) -> list:
    """What a registry of :mod:`mmal.registry` holds, and those bases of it that are ours, by name."""
    registry = getattr(registries, name)
    registry.import_from_location()
    found = {c for c in registry.module_dict.values() if c.__module__.startswith('mmal.')}
    bases = {b for c in found if inspect.isclass(c) for b in c.__mro__[1:] if b.__module__.startswith('mmal.')}
    return sorted(found | bases, key=lambda c: c.__qualname__)


def directives(name: str) -> str:
    """Sphinx's own directives for them, in a block that MyST reads as reStructuredText, as the docstrings are."""
    lines = [f'.. auto{"class" if inspect.isclass(c) else "function"}:: {c.__module__}.{c.__qualname__}\n'
             for c in members(name)]
    return '\n'.join(['```{eval-rst}', *lines, '```'])


def filled(text: str) -> str:
    """A page with each place filled."""
    return PLACE.sub(lambda place: directives(place[1]), text)
