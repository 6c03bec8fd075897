"""Context managers that put a model into the state influence needs, whatever the host library.

Each of them restores the model on leaving.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from mmengine.model import is_model_wrapper
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from mmal.utils.float32 import full_float32

ALWAYS_EVAL_TYPES = (_NormBase, _DropoutNd, nn.MultiheadAttention)
"""Modules that stay in eval mode: normalisation, dropout, and attention, which has a dropout."""

ALWAYS_EVAL_NAMES = ('DropPath', 'StochasticDepth')
"""Class names of modules that stay in eval mode: both drop whole branches."""


def _stays_in_eval_mode(module: nn.Module) -> bool:
    return isinstance(module, ALWAYS_EVAL_TYPES) or type(module).__name__ in ALWAYS_EVAL_NAMES


def unwrapped(model: Any) -> Any:
    """Return a model without its wrapper (DDP).

    Args:
        model: The model, wrapped or not.
    """
    return model.module if is_model_wrapper(model) else model


@contextmanager
def _training_flags(model: nn.Module, flag_of: Callable[[nn.Module], bool]) -> Iterator[None]:
    """Set the flag ``training`` of every module, and restore all of them on leaving."""
    flags = {module: module.training for module in model.modules()}
    try:
        for module in flags:
            module.training = flag_of(module)
        yield
    finally:
        for module, flag in flags.items():
            module.training = flag


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Put every module into eval mode, and restore each module's own mode on leaving.

    Numbers are those of float32, see :func:`~mmal.utils.float32.full_float32`: TF32 and autocast
    are off.

    Args:
        model: The model.
    """
    with _training_flags(model, lambda module: False), full_float32():
        yield


def _report_no_group() -> bool:
    return False


@contextmanager
def hide_process_group() -> Iterator[None]:
    """Make ``torch.distributed.is_initialized()`` return False for the whole process.

    This replaces a function of torch, the only such patch in mmal. mmdet's ``reduce_mean`` averages
    the normalisers of losses over all processes if that function returns True, and offers no other
    way to be stopped. The average would tie the loss of an image to images of other processes.

    mmengine's collectives ask the same function: inside the context they silently stay within this
    process. So communicate through a :class:`~mmal.distributed.group.Group` that was made *before*
    entering the context; making one inside it raises an error.

    Raises:
        RuntimeError: If the process group is hidden already.
    """
    original = torch.distributed.is_initialized
    if original is _report_no_group:
        raise RuntimeError('The process group is hidden already: loss modes cannot be nested.')
    torch.distributed.is_initialized = _report_no_group
    try:
        yield
    finally:
        torch.distributed.is_initialized = original


@contextmanager
def loss_evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put a model into the state in which the loss of one image has a meaning by itself.

    * The model itself and its heads (children with 'head' in their names) are in train mode, as
      their losses expect.
    * Everything else is in eval mode. Normalisation uses running statistics and nothing drops out,
      in heads, too.
    * Losses are those of this process alone, see :func:`hide_process_group`.
    * TF32 and autocast are off: a second derivative needs float32, whatever the training's
      precision. See :func:`~mmal.utils.float32.full_float32`.

    Args:
        model: The model, not wrapped.

    Raises:
        RuntimeError: If a loss mode is active already.
    """
    in_train_mode = {model}
    for name, child in model.named_children():
        if 'head' in name:
            in_train_mode.update(child.modules())

    def flag_of(module: nn.Module) -> bool:
        return module in in_train_mode and not _stays_in_eval_mode(module)

    with ExitStack() as stack:
        stack.enter_context(_training_flags(model, flag_of))
        stack.enter_context(hide_process_group())
        stack.enter_context(full_float32())
        yield


@contextmanager
def stub_method(module: nn.Module, method: str, value: Any) -> Iterator[None]:
    """Make a method of a module return a fixed value, whatever its arguments.

    Args:
        module: The module. What its instance held under that name before, a stub of an outer
            context or a patch of the user's, is restored on leaving.
        method: Name of the method.
        value: What the method returns.
    """
    previous = module.__dict__.get(method)
    setattr(module, method, lambda *args, **kwargs: value)
    try:
        yield
    finally:
        delattr(module, method)
        if previous is not None:
            setattr(module, method, previous)
