"""How many of the first labeled images are held out, so that no model is trained on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmal.pool.budget import DEFAULT_HOLDOUT
from mmal.registry import SAMPLERS

from .hooks.stest_hook import find_stest_hook

REFERENCE = 'holdout'
"""``reference`` of a StestHook that asks for images that are held out."""


def holdout_share(given: float | None, needs_s_test: bool, reference: Any) -> float:
    """Share of the initial images that a run holds out.

    Args:
        given: ``train_cfg.holdout``; None where the config leaves it open. Then images are held out
            only for a sampler that needs a reference set.
        needs_s_test: Whether the sampler needs s_test.
        reference: ``reference`` of the StestHook; None if there is no such hook.
    """
    if given is not None:
        return given
    is_asked_for = needs_s_test and reference == REFERENCE
    return DEFAULT_HOLDOUT if is_asked_for else 0.0


def holdout_share_of(cfg: Any) -> float:
    """The same for a config of which nothing was built yet.

    Args:
        cfg: Config of a run.
    """
    hook = find_stest_hook(cfg)
    reference = None if hook is None else hook.get('reference', 'val')
    return holdout_share(cfg.train_cfg.get('holdout'), needs_reference(cfg), reference)


def needs_reference(cfg: Any) -> bool:
    """Whether the sampler of a config needs a reference set.

    Args:
        cfg: Config of a run.
    """
    sampler = _class_of(SAMPLERS, cfg.train_cfg.get('sampler') or {})
    return bool(getattr(sampler, 'needs_s_test', False))


def _class_of(registry: Any, component: Mapping[str, Any]) -> Any:
    kind = component.get('type')
    return registry.get(kind) if isinstance(kind, str) else kind
