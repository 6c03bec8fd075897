"""Restoring contexts that put a model into the state influence needs, whatever the host library."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils._pytree import tree_flatten, tree_unflatten

_STOCHASTIC = (nn.modules.dropout._DropoutNd, nn.MultiheadAttention)


def _fixed(module: nn.Module) -> bool:
    """True for modules that stay in eval mode: statistics, dropout, drop-path, attention (which has a dropout)."""
    return isinstance(module, (_NormBase, *_STOCHASTIC)) or type(module).__name__ in (
        'DropPath',
        'StochasticDepth',
    )


@contextmanager
def _training_flags(model: nn.Module, flag_of: Callable[[nn.Module], bool]) -> Iterator[None]:
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
def hide_process_group() -> Iterator[None]:
    """Let this process answer that it is not part of a group, which is what the hosts' ``reduce_mean`` asks."""
    asked = torch.distributed.is_initialized
    torch.distributed.is_initialized = lambda: False
    try:
        yield
    finally:
        torch.distributed.is_initialized = asked


@contextmanager
def loss_evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Heads (children named ``*head*``) and the model itself in train mode, in which their losses have a meaning.

    Normalisation uses running statistics, and nothing drops out. Losses are this process's own: mmdet averages its
    normalisers over ranks when ``torch.distributed.is_initialized()``, which would tie images together. Autocast is
    off: a second derivative needs float32, whatever the training's precision.
    """
    heads = {
        m for name, child in model.named_children() if 'head' in name for m in child.modules()
    } | {model}
    with ExitStack() as stack:
        stack.enter_context(_training_flags(model, lambda m: m in heads and not _fixed(m)))
        stack.enter_context(hide_process_group())
        for device in ('cpu', 'cuda'):
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


@contextmanager
def stub_method(module: nn.Module, method: str, value: Any) -> Iterator[None]:
    """Inside the context ``module.method(...)`` is ``value``, whatever its arguments."""
    before = module.__dict__.get(method)  # of an outer context, or a patch of the user's
    setattr(module, method, lambda *args, **kwargs: value)
    try:
        yield
    finally:
        delattr(module, method)
        if before is not None:
            setattr(module, method, before)


def unbatch(outputs: Any, n: int) -> list[Any]:
    """A nest of tensors with n samples in dimension 0, cut into n nests; one backward node a tensor."""
    if n == 1:
        return [outputs]
    leaves, spec = tree_flatten(outputs)
    pieces = [leaf.split(1) if isinstance(leaf, Tensor) else (leaf,) * n for leaf in leaves]
    return [tree_unflatten([piece[i] for piece in pieces], spec) for i in range(n)]


def group_by_shape(items: list[dict]) -> list[list[int]]:
    """Row numbers grouped by image shape: padding to a common size would change the loss."""
    groups: dict[tuple, list[int]] = {}
    for i, item in enumerate(items):
        groups.setdefault(tuple(item['inputs'].shape), []).append(i)
    return list(groups.values())


def to_channels_last_on_cpu(inputs: Tensor) -> Tensor:
    """Images with the channels last in memory where that is faster: convolutions of a processor reorder less then."""
    if inputs.dim() == 4 and inputs.device.type == 'cpu':
        return inputs.contiguous(memory_format=torch.channels_last)
    return inputs
