"""Which settings of ``train_cfg`` cannot change the result of a run, as its components declare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.registry import Registry

from mmal.registry import LOOPS, ORACLES, SAMPLERS


def result_neutral_keys(train_cfg: Mapping[str, Any]) -> tuple[str, ...]:
    """Patterns of config keys that a resumed run may change, beside those of every training.

    A class declares them as ``result_neutral``, the names of such arguments; one without the
    attribute has none.

    Args:
        train_cfg: The ``train_cfg`` of an active run.

    Returns:
        Patterns for :func:`~mmal.run.manifest.build_manifest`, for instance
        'train_cfg.oracle.partial'.
    """
    keys = _declared(LOOPS, train_cfg, 'train_cfg')
    keys += _declared(SAMPLERS, train_cfg.get('sampler'), 'train_cfg.sampler')
    keys += _declared(ORACLES, train_cfg.get('oracle'), 'train_cfg.oracle')
    return tuple(keys)


def _declared(registry: Registry, cfg: Mapping[str, Any] | None, prefix: str) -> list[str]:
    kind = (cfg or {}).get('type')
    component = registry.get(kind) if isinstance(kind, str) else kind
    return [f'{prefix}.{name}' for name in getattr(component, 'result_neutral', ())]
