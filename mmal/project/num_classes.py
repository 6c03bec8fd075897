"""Text that sets the number of classes in a config that inherits a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CLASS_AGNOSTIC_HEAD = 'RPNHead'
"""Ending of the types of heads whose one class is 'object', whatever the classes are."""


def overrides(part: Any, expression: str, n_classes: int, whole: bool = False) -> str | None:
    """Write an expression that sets ``num_classes`` in each head below a part of a config.

    The expression uses the name ``classes``, a tuple of class names. A metric over the best k
    classes becomes one over the best if there are fewer than k classes.

    Args:
        part: Part of the config: a dict, a list, or a value.
        expression: Expression for the part in a config that inherits.
        n_classes: Number of classes.
        whole: Whether the result stands for the part itself, as in a list, whose elements are not
            merged. Defaults to False: the result is merged into the part.

    Returns:
        The expression, or None if no head is below the part.
    """
    if isinstance(part, (list, tuple)):
        return _list_overrides(part, expression, n_classes)
    if not isinstance(part, dict) or str(part.get('type')).endswith(CLASS_AGNOSTIC_HEAD):
        return None
    arguments = []
    for key, value in part.items():
        if key == 'num_classes' and isinstance(value, int):
            arguments.append('num_classes=len(classes)')
        elif key == 'topk' and 'num_classes' in part and _max_k(value) > n_classes:
            arguments.append('topk=(1, )')
        else:
            text = overrides(value, f'{expression}.{key}', n_classes, whole)
            if text:
                arguments.append(f'{key}={text}')
    if not arguments:
        return None
    if whole:
        arguments.insert(0, expression)
    return f'dict({", ".join(arguments)})'


def _max_k(topk: Any) -> int:
    """Largest k of a head's ``topk``."""
    return max(topk) if isinstance(topk, tuple) else 1


def _list_overrides(part: Sequence[Any], expression: str, n_classes: int) -> str | None:
    """The same for each element of a list, in one expression if it is the same for all."""
    texts_of_h = {overrides(element, 'h', n_classes, whole=True) for element in part}
    if len(texts_of_h) == 1:
        text = texts_of_h.pop()
        return f'[{text} for h in {expression}]' if text else None
    elements = []
    changed = False
    for n, element in enumerate(part):
        own = f'{expression}[{n}]'
        text = overrides(element, own, n_classes, whole=True)
        changed = changed or bool(text)
        elements.append(text or own)
    return f'[{", ".join(elements)}]' if changed else None
