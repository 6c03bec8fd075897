"""Class names as a user gives them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmal.errors import InputError


def read_classes(given: Sequence[str]) -> list[str]:
    """Read the class names of a project.

    Args:
        given: The names themselves, or the path of one text file (``.txt``) with one name per line.

    Returns:
        The names in the order they were given.

    Raises:
        InputError: If there is no name or no such file, a name is empty or not printable, or a name
            stands twice.
    """
    names = list(given)
    origin = '--classes'
    if len(names) == 1 and names[0].lower().endswith('.txt'):
        path = Path(names[0])
        origin = str(path)
        names = _read_lines(path)
    if not names:
        raise InputError(
            f'{origin} has no class name. Expected at least one, e.g. --classes cat dog.'
        )
    for name in names:
        _check_name(name, names, origin)
    return names


def _read_lines(path: Path) -> list[str]:
    """The lines of a file without the empty ones."""
    if not path.is_file():
        raise InputError(
            f'--classes {path}: there is no such file. Give one with a name a line, or the names.'
        )
    lines = path.read_text(encoding='utf-8-sig').splitlines()
    return [line.strip() for line in lines if line.strip()]


def _check_name(name: str, names: list[str], origin: str) -> None:
    if not name.strip() or not name.isprintable():
        raise InputError(f'{origin}: {name!r} is no class name.')
    if names.count(name) > 1:
        raise InputError(
            f'{origin}: {name!r} stands {names.count(name)} times. Name each class once.'
        )
