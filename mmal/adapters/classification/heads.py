"""What a classifier's head says of the labels it learns, before any model is built."""

from __future__ import annotations

from mmpretrain.models.heads import MultiLabelClsHead
from mmpretrain.registry import MODELS


def head_takes_several(cfg) -> bool:
    """Whether an image may have several labels.

    Args:
        cfg: Whole config of a classifier.
    """
    head = (cfg.get('model') or {}).get('head')
    kind = head.get('type') if isinstance(head, dict) else None
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    return isinstance(kind, type) and issubclass(kind, MultiLabelClsHead)
