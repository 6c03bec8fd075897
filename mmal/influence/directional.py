r"""Directional derivatives :math:`s \cdot \nabla l(z)` of per-sample losses, the number influence needs.

:math:`I(z) = -s_{test} \cdot G_z` (paper, Algorithm 1) asks for a gradient only along one direction, so no per-sample
gradient is formed where the loss is a function of a head's outputs: the outputs' tangent along s comes from one
forward-mode pass through the head, the loss's slope at the outputs from one backward pass for the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_flatten, tree_unflatten

from .params import gradient


def head_outputs_and_tangents(head: nn.Module, inputs: tuple, direction: dict[str, Tensor]) -> tuple[Any, list]:
    """Run ``head`` once and get its outputs together with their tangents along ``direction``.

    Args:
        head: The module that holds the parameters.
        inputs: Positional arguments of the head, not differentiated.
        direction: The tangent s by parameter name as in ``head.named_parameters()``.

    Returns:
        The outputs (the head's own nest of tensors, cut off from any graph and requiring gradients), and a list with
        one tangent or None for every leaf of it.
    """
    parameters = dict(head.named_parameters())
    with torch.no_grad(), forward_ad.dual_level():
        duals = {name: forward_ad.make_dual(parameters[name].detach(), t) for name, t in direction.items()}
        leaves, spec = tree_flatten(functional_call(head, duals, inputs))
        primals, tangents = [], []
        for leaf in leaves:
            primal, tangent = forward_ad.unpack_dual(leaf) if isinstance(leaf, Tensor) else (leaf, None)
            primals.append(primal.detach().clone() if isinstance(leaf, Tensor) else primal)
            tangents.append(None if tangent is None else tangent.detach().clone())
    for primal in primals:
        if isinstance(primal, Tensor) and primal.is_floating_point():
            primal.requires_grad_()
    return tree_unflatten(primals, spec), tangents


def output_derivative(losses: Tensor, outputs: Any, tangents: Sequence[Tensor | None]) -> Tensor:
    """Directional derivative of each sample's loss, from the outputs' tangents.

    Args:
        losses: Per-sample losses of shape (N,), sample i depending only on row i of every output.
        outputs: Nest of tensors with the samples in dimension 0, from :func:`head_outputs_and_tangents`.
        tangents: Its second result.

    Returns:
        s . grad l(z_i), of shape (N,).
    """
    leaves = tree_flatten(outputs)[0]
    pairs = [(leaf, t) for leaf, t in zip(leaves, tangents, strict=True) if t is not None]
    slopes = torch.autograd.grad(losses.sum(), [leaf for leaf, _ in pairs], allow_unused=True, materialize_grads=True)
    return sum((slope * t).flatten(1).sum(1) for slope, (_, t) in zip(slopes, pairs, strict=True))


def per_sample_derivative(loss_fns: Sequence[Callable[[], Tensor]], params: dict[str, nn.Parameter],
                          direction: Tensor) -> Tensor:
    """Directional derivative of each sample's loss by one backward pass a sample: slow, but always possible.

    Args:
        loss_fns: A function a sample that computes its scalar loss.
        params: The P parameters.
        direction: s, of shape (P,).

    Returns:
        s . grad l(z_i), of shape (N,).
    """
    return torch.stack([gradient(fn(), params) @ direction for fn in loss_fns])
