"""Problems of a file of labels as the lines of a message."""

from __future__ import annotations

from collections.abc import Sequence

MAX_PLACES = 3
"""Places that a line names."""


def problem_lines(problems: Sequence[str], max_lines: int) -> list[str]:
    """Problems with those that are alike in one line.

    Args:
        problems: Each with its place, a colon, what is wrong and what to do.
        max_lines: Lines at most, before one that counts the other problems.

    Returns:
        The first three places and the number of the others, before what is wrong.
    """
    places_by_fault: dict[str, list[str]] = {}
    for problem in problems:
        place, _, fault = problem.partition(': ')
        places_by_fault.setdefault(fault, []).append(place)
    lines = []
    n_told = 0
    for fault, places in list(places_by_fault.items())[:max_lines]:
        n_others = len(places) - MAX_PLACES
        more = f' and {n_others} more' if n_others > 0 else ''
        shown = ', '.join(places[:MAX_PLACES]) + more
        lines.append(f'{shown}: {fault}' if fault else shown)
        n_told += len(places)
    if n_told < len(problems):
        lines.append(f'... and {len(problems) - n_told} more')
    return lines
