"""Class names as a user gives them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from mmal.errors import InputError

OPTION = '--classes'


def read_classes(given: Sequence[str]) -> list[str]:
    """Read the class names that a command line gives.

    Args:
        given: The words of the command line: names, which commas may divide in place of spaces, or
            the path of one text file (``.txt``) with one name per line, which may have commas in
            it.

    Returns:
        The names in the order they were given.

    Raises:
        InputError: If there is no name or no such file, a name is empty or not printable, or a name
            stands twice; if commas and spaces both divide names.
    """
    if len(given) == 1 and given[0].lower().endswith('.txt'):
        path = Path(given[0])
        return require_class_names(_read_lines(path), str(path))
    return require_class_names(_split_at_commas(given), OPTION)


def require_class_names(names: Sequence[str], origin: str) -> list[str]:
    """Refuse names that a project cannot have.

    Args:
        names: The names.
        origin: What gives them, for messages.

    Returns:
        The names as they are.

    Raises:
        InputError: If there is no name, one is empty or not printable, or one stands twice.
    """
    if not names:
        raise InputError(
            f'{origin} has no class name. Expected at least one, e.g. --classes cat dog.'
        )
    for name, times in Counter(names).items():
        if not name.strip() or not name.isprintable():
            raise InputError(f'{origin}: {name!r} is no class name.')
        if times > 1:
            raise InputError(f'{origin}: {name!r} stands {times} times. Name each class once.')
    return list(names)


def _split_at_commas(words: Sequence[str]) -> list[str]:
    """The names in words that commas may divide: ``cat,dog`` and ``cat, dog`` are two."""
    if not any(',' in word for word in words):
        return list(words)
    for word, following in pairwise(words):
        if not word.endswith(',') and not following.startswith(','):
            raise InputError(
                f'{OPTION} {" ".join(words)}: commas and spaces both divide names here. Write '
                f'either, as in {OPTION} cat dog or {OPTION} cat,dog. A name with a space in it '
                f'stands in quotes, as in {OPTION} "traffic light" dog; a name with a comma in it '
                f'stands in a text file with a name a line, {OPTION} FILE.txt.'
            )
    pieces = [piece.strip() for word in words for piece in word.split(',')]
    return [piece for piece in pieces if piece]


def _read_lines(path: Path) -> list[str]:
    """The lines of a file without the empty ones."""
    if not path.is_file():
        raise InputError(
            f'{OPTION} {path}: there is no such file. Give one with a name a line, or the names.'
        )
    lines = path.read_text(encoding='utf-8-sig').splitlines()
    return [line.strip() for line in lines if line.strip()]
