"""Find the last layers of a model by following its loss backwards."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from .affine import AFFINE


def find_last_layers(model: nn.Module, loss: Callable[[], Tensor]) -> list[str]:
    """Names of the parameters of the linear and convolutional layers that the loss meets first on its way back.

    For FCOS these are ``conv_cls``, ``conv_reg`` and ``conv_centerness``, for Faster R-CNN those of both stages, for a
    classifier its last linear layer. Scalar factors and normalisation behind a layer are passed over; what is detached
    (proposals, matched targets) is not followed. Frozen parameters are left out.

    Args:
        model: The model.
        loss: Runs the model and returns a scalar with a graph.

    Returns:
        Full parameter names in the model's order.

    Raises:
        ValueError: If there is none: the loss has no graph, or all of them are frozen.
    """
    made_by: dict = {}

    def remember(layer, args, out):
        out = out.clone()  # the model may change what it gets in place, and its node with it
        if out.grad_fn is not None:
            made_by[out.grad_fn] = layer
        return out

    handles = [m.register_forward_hook(remember) for m in model.modules() if isinstance(m, AFFINE)]
    before = {p: p.requires_grad for p in model.parameters()}
    try:
        for p in before:
            p.requires_grad_()
        found = _walk_back(loss(), made_by)
    finally:
        for handle in handles:
            handle.remove()
        for p, flag in before.items():
            p.requires_grad_(flag)
    names = [
        name
        for name, p in model.named_parameters()
        if p.requires_grad and any(p is q for layer in found for q in layer.parameters())
    ]
    if not names:
        raise ValueError(
            'No trainable linear or convolutional layer was found behind the loss'
            + (': all of them are frozen.' if found else '.')
            + ' Name the layers in `params`.'
        )
    return names


def _walk_back(loss: Tensor, made_by: dict) -> list[nn.Module]:
    """The layers whose outputs the loss reaches without passing through another layer."""
    found, seen, todo = [], set(), [loss.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node in made_by:
            found.append(made_by[node])
        else:
            todo += [child for child, _ in node.next_functions]
    return found
