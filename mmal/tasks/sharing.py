"""Let a detector's public ``predict`` and ``loss`` share what they both compute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from mmdet.models.dense_heads import RPNHead
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

SHARED = ('backbone', 'neck')
"""Children of a detector that ``extract_feat`` runs."""


@contextmanager
def returning(module: nn.Module, method: str, value: Any) -> Iterator[None]:
    """Inside the context ``module.method(...)`` is ``value``, whatever its arguments."""
    setattr(module, method, lambda *args, **kwargs: value)
    try:
        yield
    finally:
        delattr(module, method)


def rows(outputs: Any, n: int) -> list[Any]:
    """A nest of tensors with n samples in dimension 0, cut into n nests; one backward node a tensor."""
    if n == 1:
        return [outputs]
    leaves, spec = tree_flatten(outputs)
    pieces = [leaf.split(1) if isinstance(leaf, Tensor) else (leaf, ) * n for leaf in leaves]
    return [tree_unflatten([piece[i] for piece in pieces], spec) for i in range(n)]


@contextmanager
def shared_features(model: nn.Module, feats: Any) -> Iterator[None]:
    """Inside the context ``extract_feat`` gives ``feats``, and an RPN runs once.

    Called with gradients enabled, so that the RPN's outputs serve the loss as well.
    """
    with ExitStack() as stack:
        stack.enter_context(returning(model, 'extract_feat', feats))
        rpn = getattr(model, 'rpn_head', None)
        if isinstance(rpn, RPNHead):
            stack.enter_context(returning(rpn, 'forward', rpn(feats)))
        yield
