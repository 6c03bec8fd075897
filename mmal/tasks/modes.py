"""Restoring contexts that put a detector into the state influence needs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
import torch.nn.functional as F
from mmdet.models.losses import FocalLoss
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

_STOCHASTIC = (nn.modules.dropout._DropoutNd, nn.MultiheadAttention)


def _fixed(module: nn.Module) -> bool:
    """True for modules that stay in eval mode: statistics, dropout, drop-path, attention (which has a dropout)."""
    return isinstance(module, (_NormBase, *_STOCHASTIC)) or type(module).__name__ in ('DropPath', 'StochasticDepth')


@contextmanager
def _training_flags(model: nn.Module, flag_of) -> Iterator[None]:
    before = {m: m.training for m in model.modules()}
    try:
        for m in before:
            m.training = flag_of(m)
        yield
    finally:
        for m, flag in before.items():
            m.training = flag


def eval_mode(model: nn.Module):
    """Every module in eval mode, restored afterwards."""
    return _training_flags(model, lambda m: False)


@contextmanager
def _double_differentiable(model: nn.Module) -> Iterator[None]:
    """Give focal losses one-hot targets.

    mmdet then takes its Python formula, which is the same function; mmcv's CUDA operator has no second derivative.
    """

    def one_hot(module, args, kwargs):
        pred, target, *rest = args
        if pred.dim() != target.dim():
            target = F.one_hot(target, pred.size(1) + 1)[:, :pred.size(1)]
        return (pred, target, *rest), kwargs

    handles = [m.register_forward_pre_hook(one_hot, with_kwargs=True) for m in model.modules()
               if isinstance(m, FocalLoss)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _alone() -> Iterator[None]:
    """Let this process answer that it is not part of a group, which is what mmdet's ``reduce_mean`` asks."""
    asked = torch.distributed.is_initialized
    torch.distributed.is_initialized = lambda: False
    try:
        yield
    finally:
        torch.distributed.is_initialized = asked


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
def loss_mode(model: nn.Module) -> Iterator[None]:
    """The state in which a detector's loss has a meaning for influence.

    Heads (children named ``*head*``) and the detector itself are in train mode, since outside it some heads rescale
    their outputs; normalisation uses running statistics, and nothing drops out. Losses are this process's own: mmdet
    averages its normalisers over ranks when ``torch.distributed.is_initialized()``, which would tie images together.
    A two-stage detector's mask head is left out; autocast is off.
    """
    heads = {m for name, child in model.named_children() if 'head' in name for m in child.modules()} | {model}
    with ExitStack() as stack:
        stack.enter_context(_training_flags(model, lambda m: m in heads and not _fixed(m)))
        stack.enter_context(_double_differentiable(model))
        stack.enter_context(_box_part(model))
        stack.enter_context(_alone())
        for device in ('cpu', 'cuda'):  # a second derivative needs float32, whatever the training's precision
            stack.enter_context(torch.autocast(device, enabled=False))
        yield


@contextmanager
def seeded(key) -> Iterator[None]:
    """Random numbers that depend on ``key`` (an image id) alone; torch's generators are restored afterwards."""
    seed = int.from_bytes(hashlib.sha256(str(key).encode()).digest()[:4], 'little')
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
