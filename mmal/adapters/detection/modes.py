"""Context managers for detectors."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch.nn.functional as F
from mmdet.models.losses import FocalLoss
from torch import nn

from mmal.adapters.model_modes import eval_mode, loss_evaluation_mode


@contextmanager
def prediction_mode(model: nn.Module) -> Iterator[None]:
    """Put a detector into eval mode; a two-stage detector's mask head is left out.

    Args:
        model: The detector, not wrapped.
    """
    with eval_mode(model), _without_mask_head(model):
        yield


@contextmanager
def nms_settings(
    model: Any, nms_pre: int | None, iou_threshold: float | None, max_per_img: int | None
) -> Iterator[None]:
    """Change what a detector's last stage keeps of its boxes.

    Of its ``test_cfg`` those entries are replaced that it has, if it has ``nms``: a detector
    without NMS stays as it is.

    Args:
        model: The detector, not wrapped.
        nms_pre: Boxes a level before NMS; None leaves it.
        iou_threshold: Overlap above which NMS drops a box; None leaves it.
        max_per_img: Boxes an image after NMS; None leaves it.
    """
    head = getattr(model, 'roi_head', None) or getattr(model, 'bbox_head', None)
    own = getattr(head, 'test_cfg', None)
    if head is None or own is None or 'nms' not in own:
        yield
        return
    changed = copy.deepcopy(own)
    for key, value in (('nms_pre', nms_pre), ('max_per_img', max_per_img)):
        if value is not None and key in changed:
            changed[key] = value
    if iou_threshold is not None and 'iou_threshold' in changed['nms']:
        changed['nms']['iou_threshold'] = iou_threshold
    head.test_cfg = changed
    try:
        yield
    finally:
        head.test_cfg = own


@contextmanager
def loss_mode(model: nn.Module) -> Iterator[None]:
    """Put a detector into the state in which its loss has a meaning for influence.

    See :func:`~mmal.adapters.model_modes.loss_evaluation_mode`: outside of train mode some heads
    rescale their outputs. A two-stage detector's mask head is left out.

    Args:
        model: The detector, not wrapped.

    Raises:
        RuntimeError: If a loss mode is active already.
    """
    with loss_evaluation_mode(model), _double_differentiable(model), _without_mask_head(model):
        yield


@contextmanager
def _double_differentiable(model: nn.Module) -> Iterator[None]:
    """Give focal losses one-hot targets.

    mmdet then takes its Python formula, which is the same function; mmcv's CUDA operator has no
    second derivative.
    """

    def one_hot_target(module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, Any]:
        pred, target, *rest = args
        if pred.dim() != target.dim():
            n_classes = pred.size(1)
            one_hot = F.one_hot(target, n_classes + 1)
            target = one_hot[:, :n_classes]
        return (pred, target, *rest), kwargs

    handles = []
    for module in model.modules():
        if isinstance(module, FocalLoss):
            handles.append(module.register_forward_pre_hook(one_hot_target, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _without_mask_head(model: nn.Module) -> Iterator[None]:
    """Take the mask head out of a two-stage detector: pseudo-labels are boxes."""
    roi_head: Any = getattr(model, 'roi_head', None)
    mask_head = getattr(roi_head, 'mask_head', None)
    if mask_head is None:
        yield
        return
    roi_head.mask_head = None
    try:
        yield
    finally:
        roi_head.mask_head = mask_head
