"""How much of a training its warm-up takes."""

from __future__ import annotations

from typing import Any

RISING = ('LinearLR', 'ConstantLR', 'QuadraticWarmupLR')


def warm_up(schedulers: Any) -> int:
    """Iterations at the beginning of a training whose learning rate is kept low; 0 if they are counted in epochs.

    Args:
        schedulers: ``param_scheduler`` of a config.
    """
    listed = [schedulers] if isinstance(schedulers, dict) else schedulers or []
    return max((s['end'] for s in listed if isinstance(s, dict) and _keeps_low(s)), default=0)


def _keeps_low(scheduler: dict) -> bool:
    kind = str(getattr(scheduler.get('type'), '__name__', scheduler.get('type'))).split('.')[-1]
    return (kind in RISING and not scheduler.get('by_epoch', True) and not scheduler.get('begin')
            and isinstance(scheduler.get('end'), int)
            and scheduler.get('factor', scheduler.get('start_factor', 1 / 3)) < scheduler.get('end_factor', 1))
