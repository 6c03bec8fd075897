"""How many labels an image may have, from the config of a classifier."""

from __future__ import annotations

from mmengine.config import Config
from mmpretrain.models.heads import MultiLabelClsHead
from mmpretrain.registry import MODELS


def head_takes_several(cfg: Config) -> bool:
    """Whether an image may have several labels, by the type of the head.

    Args:
        cfg: The whole config of a classifier.
    """
    model = cfg.get('model') or {}
    head = model.get('head')
    if not isinstance(head, dict):
        return False
    head_type = head.get('type')
    if isinstance(head_type, str):
        head_type = MODELS.get(head_type)
    return isinstance(head_type, type) and issubclass(head_type, MultiLabelClsHead)
