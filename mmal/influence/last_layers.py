"""Find the last layers of a model by following its loss backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.utils.hooks import RemovableHandle

from .affine import AFFINE_LAYERS
from .parameters import preserve_grad_flags


def find_last_layers(model: nn.Module, loss: Callable[[], Tensor]) -> list[str]:
    """Find the linear and convolutional layers that the loss meets first on its way back.

    For FCOS these are ``conv_cls``, ``conv_reg`` and ``conv_centerness``, for Faster R-CNN those of
    both stages, for a classifier its last linear layer. Scalar factors and normalisation behind a
    layer are passed over. What is detached (proposals, matched targets) is not followed. Frozen
    parameters are left out.

    >>> import torch
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.LayerNorm(2))
    >>> find_last_layers(model, lambda: model(torch.ones(5, 3)).square().sum())
    ['2.weight', '2.bias']

    Args:
        model: The model. Its flags ``requires_grad`` are all set while the loss is taken, and
            restored.
        loss: A function that runs the model and returns a scalar with a graph.

    Returns:
        Full names of the layers' parameters, in the model's order.

    Raises:
        ValueError: If there is none: the loss has no graph, or all of them are frozen.
    """
    layers = _layers_next_to(model, loss)
    own_ids = {id(parameter) for layer in layers for parameter in layer.parameters()}
    names: list[str] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and id(parameter) in own_ids:
            names.append(name)
    if not names:
        reason = ': all of them are frozen.' if layers else '.'
        raise ValueError(
            f'No trainable linear or convolutional layer was found behind the loss{reason}'
            ' Name the layers in `params`.'
        )
    return names


def _layers_next_to(model: nn.Module, loss: Callable[[], Tensor]) -> list[nn.Module]:
    """Run the model with all parameters requiring gradients, and walk back from the loss."""
    layer_of_node: dict[Node, nn.Module] = {}

    def remember(layer: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        # the model may change in place what it gets, and its node with it
        output = output.clone()
        if output.grad_fn is not None:
            layer_of_node[output.grad_fn] = layer
        return output

    handles: list[RemovableHandle] = []
    for module in model.modules():
        if isinstance(module, AFFINE_LAYERS):
            handles.append(module.register_forward_hook(remember))
    try:
        with preserve_grad_flags(model):
            model.requires_grad_()
            return _walk_back(loss(), layer_of_node)
    finally:
        for handle in handles:
            handle.remove()


def _walk_back(loss: Tensor, layer_of_node: dict[Node, nn.Module]) -> list[nn.Module]:
    """The layers whose outputs the loss reaches without passing through another layer."""
    layers: list[nn.Module] = []
    visited: set[Node] = set()
    pending: list[Node | None] = [loss.grad_fn]
    while pending:
        node = pending.pop()
        if node is None or node in visited:
            continue
        visited.add(node)
        if node in layer_of_node:
            layers.append(layer_of_node[node])
            continue
        for child, _ in node.next_functions:
            pending.append(child)
    return layers
