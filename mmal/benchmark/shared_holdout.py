"""The images that all methods of a comparison hold out, so that they can share a first model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmal.engine.holdout import holdout_share_of, needs_reference

from .results import SharedHoldout


def share_holdout(configs: Mapping[str, Any]) -> SharedHoldout | None:
    """Have all methods hold out the same share of the initial images, if one of them needs any.

    Where the methods were trained on different parts of the initial images, their curves would
    begin with different models. A method whose config names ``train_cfg.holdout`` keeps it.

    Args:
        configs: Configs by name of the method. They are changed in place.

    Returns:
        What is shared; None if no method holds images out, or every one that does needs them.
    """
    share = max(holdout_share_of(cfg) for cfg in configs.values())
    if not share:
        return None
    needless = []
    for name, cfg in configs.items():
        if cfg.train_cfg.get('holdout') is None:
            cfg.train_cfg['holdout'] = share
        if cfg.train_cfg['holdout'] and not needs_reference(cfg):
            needless.append(name)
    return SharedHoldout(share, needless) if needless else None
