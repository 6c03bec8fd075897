"""How much of a training its warm-up takes."""

from __future__ import annotations

import re
from typing import Any


def flat(value, prefix: str = '') -> dict[str, str]:
    """A nested config as {dotted key: text}."""
    if isinstance(value, dict) and value:
        pairs = value.items()
    elif isinstance(value, (list, tuple)) and any(
        isinstance(v, (dict, list, tuple)) for v in value
    ):
        pairs = enumerate(value)
    elif value is None:  # the same as absent
        return {}
    else:
        return {prefix: repr(tuple(value) if isinstance(value, list) else value)}
    return {
        k: v
        for key, item in pairs
        for k, v in flat(item, f'{prefix}.{key}' if prefix else str(key)).items()
    }


def moved_paths(text: str, was: str, now: str) -> str:
    """Python text whose paths in the folder ``was`` are those at the same place in ``now``."""
    return re.sub(
        f"""(?<=['"]){re.escape(repr(was)[1:-1])}(?=[/'"])""", lambda _: repr(now)[1:-1], text
    )


WARMUP_SCHEDULERS = ('LinearLR', 'ConstantLR', 'QuadraticWarmupLR')


def warmup_iters(schedulers: Any) -> int:
    """Iterations at the beginning of a training whose learning rate is kept low; 0 if they are counted in epochs.

    Args:
        schedulers: ``param_scheduler`` of a config.
    """
    listed = [schedulers] if isinstance(schedulers, dict) else schedulers or []
    return max((s['end'] for s in listed if isinstance(s, dict) and _is_warmup(s)), default=0)


def _is_warmup(scheduler: dict) -> bool:
    kind = str(getattr(scheduler.get('type'), '__name__', scheduler.get('type'))).split('.')[-1]
    return (
        kind in WARMUP_SCHEDULERS
        and not scheduler.get('by_epoch', True)
        and not scheduler.get('begin')
        and isinstance(scheduler.get('end'), int)
        and scheduler.get('factor', scheduler.get('start_factor', 1 / 3))
        < scheduler.get('end_factor', 1)
    )
