"""What ``{registered} SAMPLERS`` in a page becomes: the docstring of everything in that registry of mmal."""

from __future__ import annotations

import inspect
import re

from mmal import registry as registries

PLACE = re.compile(r'^```\{registered\} (\w+)\n```$', re.MULTILINE)


def is_ours(member) -> bool:
    return member.__module__.startswith('mmal.')


def members(name: str) -> list:
    """What a registry of :mod:`mmal.registry` holds, by name.

    Bases of its classes are among them if they are ours and have a constructor, which their docstring explains.
    """
    registry = getattr(registries, name)
    registry.import_from_location()
    registered = {member for member in registry.module_dict.values() if is_ours(member)}
    bases = set()
    for member in registered:
        if inspect.isclass(member):
            bases.update(base for base in member.__mro__[1:] if is_ours(base) and '__init__' in vars(base))
    return sorted(registered | bases, key=lambda member: member.__qualname__)


def directives(name: str) -> str:
    """Sphinx's own directives for them, in a block that MyST reads as reStructuredText, as the docstrings are."""
    lines = ['```{eval-rst}']
    for member in members(name):
        kind = 'class' if inspect.isclass(member) else 'function'
        lines.append(f'.. auto{kind}:: {member.__module__}.{member.__qualname__}\n')
    return '\n'.join([*lines, '```'])


def filled(text: str) -> str:
    """The page with each place filled."""
    return PLACE.sub(lambda place: directives(place[1]), text)
