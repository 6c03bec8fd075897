"""What a dense head would output for prediction, from what it outputs in training, so that it runs once for both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_map

from mmal.adapters.model_modes import eval_mode


def _equal(a: Any, b: Any) -> bool:
    a, b = tree_flatten(a)[0], tree_flatten(b)[0]
    return len(a) == len(b) and all(
        x.shape == y.shape and torch.allclose(x, y) for x, y in zip(a, b, strict=True)
    )


class PredictionOutputs:
    """Eval-mode outputs from train-mode outputs where possible, else by a second pass of the head.

    Which of the two is found out once, by comparing on the first batch.

    Args:
        head: A dense head; what it is matters to :meth:`of` alone.
    """

    def __init__(self, head: nn.Module | None) -> None:
        self._head = head
        self._convert: Callable | None = None

    def convert(self, feats: Any, outs: tuple) -> tuple:
        """Outputs for prediction, without a graph, from the features and the head's train-mode outputs."""
        outs = tree_map(lambda t: t.detach(), outs)
        if self._convert is None:
            expected = self._second_pass(feats, outs)
            shared = [lambda feats, outs: outs, self._undo_norm_on_bbox]
            self._convert = next(
                (f for f in shared if _equal(f(feats, outs), expected)), self._second_pass
            )
        return self._convert(feats, outs)

    def _second_pass(self, feats: Any, outs: tuple) -> tuple:
        with eval_mode(self._head):
            return self._head(feats)

    def _undo_norm_on_bbox(self, feats: Any, outs: tuple) -> tuple:
        """FCOS and its kin divide boxes by the stride in train mode only."""
        if not getattr(self._head, 'norm_on_bbox', False) or len(outs) < 2:
            return outs
        return (
            outs[0],
            [box * s for box, s in zip(outs[1], self._head.strides, strict=True)],
            *outs[2:],
        )
