"""Name the first of many in a message."""

from __future__ import annotations

from collections.abc import Sequence

MAX_NAMES = 3
"""Number of names that a message has."""


def shown_names(names: Sequence[str], total: int | None = None) -> str:
    """The first names, and how many more there are.

    Args:
        names: The names, or the first of them.
        total: Number of all of them. Defaults to None: ``names`` is all.
    """
    n_all = len(names) if total is None else total
    shown = ', '.join(names[:MAX_NAMES])
    n_more = n_all - min(len(names), MAX_NAMES)
    if not n_more:
        return shown
    return f'{shown} and {n_more} more'
