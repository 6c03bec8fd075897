"""Restoring contexts for detectors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch.nn.functional as F
from mmdet.models.dense_heads import RPNHead
from mmdet.models.losses import FocalLoss
from torch import nn

from mmal.adapters.model_modes import eval_mode, loss_evaluation_mode, stub_method

SHARED = ('backbone', 'neck')
"""Children of a detector that ``extract_feat`` runs."""


@contextmanager
def _double_differentiable(model: nn.Module) -> Iterator[None]:
    """Give focal losses one-hot targets.

    mmdet then takes its Python formula, which is the same function; mmcv's CUDA operator has no second derivative.
    """

    def one_hot(module, args, kwargs):
        pred, target, *rest = args
        if pred.dim() != target.dim():
            target = F.one_hot(target, pred.size(1) + 1)[:, : pred.size(1)]
        return (pred, target, *rest), kwargs

    handles = [
        m.register_forward_pre_hook(one_hot, with_kwargs=True)
        for m in model.modules()
        if isinstance(m, FocalLoss)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _box_part(model: nn.Module) -> Iterator[None]:
    """Take the mask head out of a two-stage detector: pseudo-labels are boxes."""
    roi_head = getattr(model, 'roi_head', None)
    mask_head = getattr(roi_head, 'mask_head', None)
    if mask_head is None:
        yield
        return
    roi_head.mask_head = None
    try:
        yield
    finally:
        roi_head.mask_head = mask_head


@contextmanager
def prediction_mode(model: nn.Module) -> Iterator[None]:
    """Eval mode; a two-stage detector's mask head is left out."""
    with eval_mode(model), _box_part(model):
        yield


@contextmanager
def loss_mode(model: nn.Module) -> Iterator[None]:
    """The state in which a detector's loss has a meaning for influence; see :func:`~mmal.adapters.model_modes.loss_evaluation_mode`.

    Outside of train mode some heads rescale their outputs. A two-stage detector's mask head is left out.
    """
    with loss_evaluation_mode(model), _double_differentiable(model), _box_part(model):
        yield


@contextmanager
def shared_features(model: nn.Module, feats: Any) -> Iterator[None]:
    """Let the public ``predict`` and ``loss`` share what both compute: the features, and an RPN's outputs.

    Called with gradients enabled, so that the RPN's outputs serve the loss as well.
    """
    rpn = getattr(model, 'rpn_head', None)
    with stub_method(model, 'extract_feat', feats):
        if isinstance(rpn, RPNHead):
            with stub_method(rpn, 'forward', rpn(feats)):
                yield
        else:
            yield
