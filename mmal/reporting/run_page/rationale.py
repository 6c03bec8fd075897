"""Why an image was chosen, in one sentence, from the parts of its influence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MIN_SHARE = 0.02
"""Share of the largest part below which another is not mentioned."""


def selection_rationale(entry: Mapping[str, Any], score: str) -> str:
    """The sentence.

    Args:
        entry: Entry of the image in ``chosen.json``; its ``score`` and ``parts`` are read.
        score: Name of the sampler's score.
    """
    parts = entry['parts']
    if not parts:
        return _from_score(entry['score'], score)
    total = sum(parts['layers'].values())
    layers = largest_parts(parts['layers'], total)
    if not layers:
        return 'Training on it would hardly change the reference loss, to first order.'
    direction = 'lower' if total < 0 else 'raise'
    clauses = [
        f'Training on it would {direction} the reference loss, to first order: its gradient pushes '
        f'most on {_listed(layers)}, of an influence of {format_3_digits(total)}'
    ]
    classes = _classes(parts['classes'])
    helping = largest_parts(classes, total)
    if helping:
        clauses.append(f'of the classes most on {_listed(helping)}')
    opposing = largest_parts({name: -part for name, part in classes.items()}, total, 1)
    if opposing:
        own_signs = [(name, -part) for name, part in opposing]
        clauses.append(f'against it works {_listed(own_signs)}')
    return '; '.join(clauses) + '.'


def _from_score(value: float | None, score: str) -> str:
    """The sentence where the parts of the influence are not known."""
    if value is None:
        return 'No score is known.'
    return f'Ranked by its {score} of {format_3_digits(value)}, lower first.'


def _classes(parts: Mapping[str, float]) -> dict[str, float]:
    """The parts of the classes, by the words for them."""
    worded = {}
    for name, part in parts.items():
        words = name if name == 'background' else f'class {name}'
        worded[words] = part
    return worded


def largest_parts(parts: Mapping[str, float], total: float, n: int = 2) -> list[tuple[str, float]]:
    """The largest parts that have the sign of the total, and their names.

    Parts below :data:`MIN_SHARE` of the largest one of either sign are left out.

    Args:
        parts: Parts of an influence by name.
        total: The influence.
        n: Number of parts at most. Defaults to 2.

    Returns:
        The largest first.
    """
    sign = -1 if total < 0 else 1
    largest = max(map(abs, parts.values()), default=0)
    same_sign = []
    for name, part in parts.items():
        if sign * part > MIN_SHARE * largest:
            same_sign.append((name, part))
    same_sign.sort(key=lambda pair: -abs(pair[1]))
    return same_sign[:n]


def _listed(parts: list[tuple[str, float]]) -> str:
    words = []
    for name, part in parts:
        words.append(f'{name} ({format_3_digits(part)})')
    return ' and '.join(words)


def format_3_digits(value: float) -> str:
    """A number with three digits and a true minus sign.

    Args:
        value: The number.
    """
    return f'{value:.3g}'.replace('-', '\N{MINUS SIGN}')
