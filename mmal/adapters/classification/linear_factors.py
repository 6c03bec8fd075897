"""Gradients in a classifier's last linear layer as outer products."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from mmal.adapters.base import PseudoLabels

from .head_losses import ClassifierHead, total


def find_linear(model: nn.Module, names: Collection[str]) -> nn.Linear | None:
    """Find the linear layer whose parameters some names are.

    Args:
        model: The model.
        names: Names of parameters.

    Returns:
        The layer; None if they are those of several layers, of another kind of layer, or not all
        parameters of the layer.
    """
    owners = {name.rpartition('.')[0] for name in names}
    if len(owners) != 1:
        return None
    layer = model.get_submodule(owners.pop())
    # A subclass may normalise its weight, or compute otherwise.
    if type(layer) is not nn.Linear:
        return None
    own = [name for name, _ in layer.named_parameters()]
    named = {name.rpartition('.')[2] for name in names}
    return layer if named == set(own) else None


def linear_factors(
    head: ClassifierHead, layer: nn.Linear, feats: Any, pseudo_labels: PseudoLabels
) -> tuple[Tensor, Tensor] | None:
    """Compute the gradient of one image's weighted loss in a layer's weight as an outer product.

    Args:
        head: The classifier's head.
        layer: The layer, whose parameters require gradients.
        feats: Features of the image.
        pseudo_labels: ``top_k`` counts.

    Returns:
        Slopes of the loss in the layer's outputs, shape (1, A), and its inputs, shape (1, B); None
        if the layer is used more than once for the image.
    """
    uses: list[tuple[Tensor, Tensor]] = []

    def keep(module: nn.Module, args: Any, output: Tensor) -> None:
        uses.append((args[0].detach(), output))

    choices = head.choices_from_features(feats, pseudo_labels)
    slopes = []
    for choice in choices:
        uses.clear()
        handle = layer.register_forward_hook(keep)
        try:
            loss = head.loss(feats, choice.samples)
        finally:
            handle.remove()
        if len(uses) != 1 or uses[0][0].dim() != 2 or len(uses[0][0]) != 1:
            return None
        slope = torch.autograd.grad(loss, uses[0][1])[0]
        slopes.append(choice.weights[0] * slope)
    return total(slopes), uses[0][0]
