"""Class names as a user gives them."""

from __future__ import annotations

from pathlib import Path

from mmal.errors import InputError


def read_classes(given: list[str]) -> list[str]:
    """Names from the command line: the names themselves, or one text file with a name a line.

    Raises:
        InputError: If there is none, one is empty, or one stands twice.
    """
    names, source = list(given), '--classes'
    if len(names) == 1 and names[0].lower().endswith('.txt'):
        path = Path(names[0])
        if not path.is_file():
            raise InputError(
                f'--classes {path}: there is no such file. Give one with a name a line, or the names.'
            )
        source = str(path)
        names = [
            line.strip()
            for line in path.read_text(encoding='utf-8-sig').splitlines()
            if line.strip()
        ]
    if not names:
        raise InputError(
            f'{source} has no class name. Expected at least one, e.g. --classes cat dog.'
        )
    for name in names:
        if not name.strip() or any(not c.isprintable() for c in name):
            raise InputError(f'{source}: {name!r} is no class name.')
        if names.count(name) > 1:
            raise InputError(
                f'{source}: {name!r} stands {names.count(name)} times. Name each class once.'
            )
    return names
