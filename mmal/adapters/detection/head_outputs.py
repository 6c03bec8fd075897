"""Outputs of a dense head for prediction, made from its training outputs, so that it runs once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch.utils._pytree import tree_flatten, tree_map

from mmal.adapters.model_modes import eval_mode

Outputs: TypeAlias = tuple[Any, ...]
"""Outputs of a head."""

Conversion: TypeAlias = Callable[[Any, Outputs], Outputs]
"""Makes outputs for prediction of features and the head's train-mode outputs."""


class PredictionOutputs:
    """Gives eval-mode outputs of a head from train-mode outputs, or by a second pass of the head.

    The first conversion that reproduces the second pass on the first batch is kept.

    Args:
        head: A dense head of mmdet.
    """

    def __init__(self, head: Any) -> None:
        self._head = head
        self._conversion: Conversion | None = None

    def convert(self, feats: Any, outputs: Outputs) -> Outputs:
        """Make the outputs for prediction, without a graph.

        Args:
            feats: Features that the head takes.
            outputs: The head's train-mode outputs on them.
        """
        outputs = tree_map(lambda tensor: tensor.detach(), outputs)
        if self._conversion is None:
            self._conversion = self._find_conversion(feats, outputs)
        return self._conversion(feats, outputs)

    def _find_conversion(self, feats: Any, outputs: Outputs) -> Conversion:
        expected = self._run_head(feats, outputs)
        for conversion in (self._keep, self._undo_norm_on_bbox):
            if _all_close(conversion(feats, outputs), expected):
                return conversion
        return self._run_head

    def _keep(self, feats: Any, outputs: Outputs) -> Outputs:
        return outputs

    def _undo_norm_on_bbox(self, feats: Any, outputs: Outputs) -> Outputs:
        """FCOS and its kin divide boxes by the stride in train mode only."""
        if not getattr(self._head, 'norm_on_bbox', False) or len(outputs) < 2:
            return outputs
        scores, boxes_by_level, *others = outputs
        in_pixels = []
        for boxes, stride in zip(boxes_by_level, self._head.strides, strict=True):
            in_pixels.append(boxes * stride)
        return scores, in_pixels, *others

    def _run_head(self, feats: Any, outputs: Outputs) -> Outputs:
        with eval_mode(self._head):
            second_outputs: Outputs = self._head(feats)
        return second_outputs


def _all_close(first: Any, second: Any) -> bool:
    first_leaves, _ = tree_flatten(first)
    second_leaves, _ = tree_flatten(second)
    if len(first_leaves) != len(second_leaves):
        return False
    for a, b in zip(first_leaves, second_leaves, strict=True):
        if a.shape != b.shape:
            return False
        if not torch.allclose(a, b):
            return False
    return True
