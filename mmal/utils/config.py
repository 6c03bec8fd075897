"""Questions about configs: settings as flat text, moved paths, and the length of the warm-up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

WARMUP_SCHEDULERS = ('LinearLR', 'ConstantLR', 'QuadraticWarmupLR')
"""Types of schedulers that can keep the learning rate low at first."""


def flat(value: Any, prefix: str = '') -> dict[str, str]:
    """Flatten a nested config.

    Lists are descended into only if they hold dicts or lists. A value of None is left out, as it is
    the same as an absent one.

    Args:
        value: The config, or a part of it.
        prefix: Dotted key of the part. Defaults to '', the whole config.

    Returns:
        Text of each setting by its dotted key.
    """
    if value is None:
        return {}
    children = _children(value)
    if children is None:
        leaf = tuple(value) if isinstance(value, list) else value
        return {prefix: repr(leaf)}
    settings: dict[str, str] = {}
    for key, child in children:
        dotted_key = f'{prefix}.{key}' if prefix else str(key)
        settings.update(flat(child, dotted_key))
    return settings


def _children(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """Keys and values that a part of a config is made of; None if it is a setting by itself."""
    if isinstance(value, dict) and value:
        return value.items()
    if isinstance(value, (list, tuple)):
        is_nested = any(isinstance(item, (dict, list, tuple)) for item in value)
        if is_nested:
            return enumerate(value)
    return None


def moved_paths(text: str, old_root: str, new_root: str) -> str:
    """Replace paths below one folder by those at the same place below another.

    Args:
        text: Python text, such as a config.
        old_root: Folder that the paths are in.
        new_root: Folder that they are in now.

    Returns:
        The text with every string that is or begins with ``old_root`` changed.
    """
    old_text = re.escape(repr(old_root)[1:-1])
    new_text = repr(new_root)[1:-1]
    # A function, since backslashes of a replacement text would be read as escapes.
    return re.sub(f"""(?<=['"]){old_text}(?=[/'"])""", lambda _: new_text, text)


def warmup_iters(schedulers: Mapping[str, Any] | Sequence[Any] | None) -> int:
    """Find the number of iterations at the beginning of a training with a low learning rate.

    Args:
        schedulers: The ``param_scheduler`` of a config.

    Returns:
        Number of iterations; 0 if there is no warm-up or it is counted in epochs.
    """
    if isinstance(schedulers, Mapping):
        schedulers = [schedulers]
    ends = [0]
    for scheduler in schedulers or ():
        if isinstance(scheduler, dict) and _is_warmup(scheduler):
            ends.append(scheduler['end'])
    return max(ends)


def _is_warmup(scheduler: Mapping[str, Any]) -> bool:
    """True if a scheduler raises the learning rate from the first iteration to a known one."""
    scheduler_type = scheduler.get('type')
    name = str(getattr(scheduler_type, '__name__', scheduler_type)).split('.')[-1]
    if name not in WARMUP_SCHEDULERS:
        return False
    if scheduler.get('by_epoch', True) or scheduler.get('begin'):
        return False
    if not isinstance(scheduler.get('end'), int):
        return False
    start_factor = scheduler.get('factor', scheduler.get('start_factor', 1 / 3))
    end_factor = scheduler.get('end_factor', 1)
    return bool(start_factor < end_factor)
