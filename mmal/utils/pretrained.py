"""Whether a config's model begins with trained weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def weights_key(cfg: Any) -> str | None:
    """Find the key by which a model begins with trained weights.

    These are ``train_cfg.checkpoint``; ``load_from``; and in the model, at any depth, an
    ``init_cfg`` that names a checkpoint, or ``pretrained``. A teacher's weights are not the
    model's.

    Args:
        cfg: The config.

    Returns:
        The key, for instance ``'model.backbone.init_cfg'``; None if there is none.
    """
    if (cfg.get('train_cfg') or {}).get('checkpoint'):
        return 'train_cfg.checkpoint'
    if cfg.get('load_from'):
        return 'load_from'
    return _find(cfg.get('model'), 'model')


def _find(part: Any, name: str) -> str | None:
    """The key of the first weights that a part of a config names."""
    if isinstance(part, Mapping):
        if part.get('type') == 'Pretrained' or part.get('checkpoint'):
            return name
        if part.get('pretrained'):
            return f'{name}.pretrained'
        entries = [(key, value) for key, value in part.items() if not key.startswith('teacher')]
    elif isinstance(part, (list, tuple)):
        entries = [(str(place), value) for place, value in enumerate(part)]
    else:
        return None
    for key, value in entries:
        found = _find(value, f'{name}.{key}')
        if found is not None:
            return found
    return None
