r"""Directional derivatives :math:`s \cdot \nabla l(z)` of per-sample losses, the number influence needs.

:math:`I(z) = -s_{test} \cdot G_z` (paper, Algorithm 1) asks for a gradient only along one direction, so no per-sample
gradient need be formed. Three ways, the cheapest that can first:

* chosen layers are affine: :class:`~mmal.influence.affine.AffineTape`, one backward pass down to their outputs;
* any parameters, loss of some outputs: :func:`outputs_and_tangents`, one forward pass with dual numbers;
* anything: one backward pass a sample, with :func:`~mmal.influence.parameters.gradient`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel


def outputs_and_tangents(
    module: nn.Module, inputs: tuple, direction: dict[str, Tensor], plain_attention: bool = False
) -> tuple[Tensor, Tensor]:
    """Run ``module`` once by forward-mode AD: its output, and the output's tangent along ``direction``.

    Args:
        module: A module that returns one tensor.
        inputs: Its positional arguments, not differentiated.
        direction: s by parameter name as in ``module.named_parameters()``.
        plain_attention: Run attention as matrix products; fused attention has no forward derivative. Defaults to False.

    Returns:
        Output and tangent, of one shape, both without a graph.

    Raises:
        NotImplementedError: If an operator on the way has no forward derivative.
    """
    parameters = dict(module.named_parameters())
    attention = sdpa_kernel(SDPBackend.MATH) if plain_attention else nullcontext()
    with torch.no_grad(), forward_ad.dual_level(), attention:
        duals = {
            name: forward_ad.make_dual(parameters[name].detach(), t)
            for name, t in direction.items()
        }
        output, tangent = forward_ad.unpack_dual(functional_call(module, duals, inputs))
        return output.clone(), torch.zeros_like(output) if tangent is None else tangent.clone()


def output_derivative(
    losses: Callable[[Tensor], Tensor], output: Tensor, tangent: Tensor
) -> Tensor:
    """Directional derivative of each sample's loss, from the output's tangent.

    Args:
        losses: Sum of the per-sample losses from the output, sample i depending on row i alone.
        output: Samples in dimension 0, N of them.
        tangent: Of the same shape.

    Returns:
        s . grad l(z_i), of shape (N,).
    """
    output = output.detach().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(
            losses(output).sum(), output, allow_unused=True, materialize_grads=True
        )
    return (slope * tangent).reshape(len(output), -1).sum(1)


def agree(
    fast: Tensor, slow: Tensor, direction: Tensor, slow_gradient_norm: float, rtol: float = 1e-3
) -> bool:
    """Whether two derivatives of one sample are the same number, on the scale of |s| |grad l|."""
    scale = float(direction.norm()) * slow_gradient_norm
    return not bool(slow.isfinite()) or abs(float(fast) - float(slow)) <= rtol * scale + 1e-30
