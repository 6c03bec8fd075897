"""Text that sets the number of classes in a config that inherits a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

OTHER_CLASSES = ('RPNHead', 'FusedSemanticHead')
"""Endings of the types of heads that have classes of their own: 'object', or those of pixels."""
CLASS_AGNOSTIC_PART = 'rpn_head'
"""Where a two-stage detector has its head for 'object'; mmdet sets its number to 1."""


def overrides(
    part: Any, expression: str, n_classes: int, whole: bool = False, correct: bool = False
) -> str | None:
    """Write an expression that sets ``num_classes`` in each head below a part of a config.

    The expression uses the name ``classes``, a tuple of class names. A metric over the best k
    classes becomes one over the best if there are fewer than k classes.

    Args:
        part: Part of the config: a dict, a list, or a value.
        expression: Expression for the part in a config that inherits.
        n_classes: Number of classes.
        whole: Whether the result stands for the part itself, as in a list, whose elements are not
            merged. Defaults to False: the result is merged into the part.
        correct: Whether it is written for a config that is there: only heads with another number
            are set, and the number stands in the place of ``len(classes)``. Defaults to False.

    Returns:
        The expression, or None if no head is below the part.
    """
    if isinstance(part, (list, tuple)):
        return _list_overrides(part, expression, n_classes, correct)
    if not isinstance(part, dict) or str(part.get('type')).endswith(OTHER_CLASSES):
        return None
    written = str(n_classes) if correct else 'len(classes)'
    arguments = []
    for key, value in part.items():
        if key == CLASS_AGNOSTIC_PART:
            continue
        if key == 'num_classes' and isinstance(value, int):
            if not correct or value != n_classes:
                arguments.append(f'num_classes={written}')
        elif key == 'topk' and 'num_classes' in part and largest_k(value) > n_classes:
            arguments.append('topk=(1, )')
        else:
            text = overrides(value, f'{expression}.{key}', n_classes, whole, correct)
            if text:
                arguments.append(f'{key}={text}')
    if not arguments:
        return None
    if whole:
        arguments.insert(0, expression)
    return f'dict({", ".join(arguments)})'


def largest_k(topk: Any) -> int:
    """Return the largest k of a ``topk``.

    Args:
        topk: A number, or several.
    """
    return max(topk) if isinstance(topk, (tuple, list)) else int(topk)


def _list_overrides(
    part: Sequence[Any], expression: str, n_classes: int, correct: bool
) -> str | None:
    """The same for each element of a list, in one expression if it is the same for all."""
    texts_of_h = {overrides(element, 'h', n_classes, True, correct) for element in part}
    if len(texts_of_h) == 1:
        text = texts_of_h.pop()
        return f'[{text} for h in {expression}]' if text else None
    elements = []
    changed = False
    for n, element in enumerate(part):
        own = f'{expression}[{n}]'
        text = overrides(element, own, n_classes, True, correct)
        changed = changed or bool(text)
        elements.append(text or own)
    return f'[{", ".join(elements)}]' if changed else None
