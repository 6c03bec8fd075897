"""Derivatives of any detector and any parameters: one backward pass per image."""

from __future__ import annotations

from typing import Any

import torch

from mmal.adapters.derivatives import DerivativeBatch, Derivatives
from mmal.influence.parameters import gradient

from .losses import image_loss, nan_where_loss_nonfinite, pseudo_targets


class BackwardMethod:
    """The method ``backward``: the public ``predict`` and ``loss``, and plain autograd.

    Args:
        model: The detector, not wrapped.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(self, batch: DerivativeBatch) -> Derivatives:
        """Compute the derivatives of a batch.

        Args:
            batch: The batch.
        """
        targets = pseudo_targets(self._model, batch.inputs, batch.samples, batch.pseudo_labels)
        values = []
        counts = []
        for row, target in enumerate(targets):
            image_id = batch.image_ids[row]
            loss = image_loss(self._model, batch.image(row), target, image_id)
            loss_gradient = gradient(loss, batch.params)
            derivative = loss_gradient[None] @ batch.direction
            value = nan_where_loss_nonfinite(derivative, [loss])
            values.append(value[0])
            counts.append(len(target.gt_instances))
        return torch.stack(values), counts
