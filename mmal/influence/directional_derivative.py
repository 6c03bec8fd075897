r"""Directional derivatives :math:`s \cdot \nabla l(z)` of per-sample losses.

:math:`I(z) = -s_{test} \cdot G_z` (paper, Algorithm 1) asks for a gradient only along one
direction, so no per-sample gradient need be formed. There are three methods, the cheapest first:

* The chosen layers are affine: :class:`~mmal.influence.affine.AffineTape`, one backward pass down
  to their outputs.
* Any parameters, and a loss of some outputs: :func:`outputs_and_tangents`, one forward pass with
  dual numbers.
* Anything: one backward pass per sample, with :func:`~mmal.influence.parameters.gradient`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor, nn
from torch.func import functional_call

from .parameters import gradient
from .unfused_attention import unfused_attention

# torch gives these functions no types
make_dual: Any = forward_ad.make_dual
unpack_dual: Any = forward_ad.unpack_dual


def outputs_and_tangents(
    module: nn.Module,
    inputs: tuple[Any, ...],
    direction: Mapping[str, Tensor],
    plain_attention: bool = False,
) -> tuple[Tensor, Tensor]:
    r"""Run a module once by forward-mode differentiation: its output and the output's tangent.

    The tangent is :math:`\frac{d}{d \varepsilon} f(\theta + \varepsilon s)` at
    :math:`\varepsilon = 0`.

    >>> model = nn.Linear(2, 1, bias=False)
    >>> direction = dict(weight=torch.tensor([[1.0, 10.0]]))
    >>> output, tangent = outputs_and_tangents(model, (torch.tensor([[3.0, 4.0]]),), direction)
    >>> tangent
    tensor([[43.]])

    Args:
        module: A module that returns one tensor.
        inputs: The module's positional arguments. They are not differentiated.
        direction: s by parameter name as in ``module.named_parameters()``.
        plain_attention: Whether attention runs as matrix products: fused attention has no forward
            derivative. Defaults to False.

    Returns:
        The output and its tangent, both of the output's shape and without a graph.

    Raises:
        NotImplementedError: If an operator on the way has no forward derivative.
    """
    parameters = dict(module.named_parameters())
    attention: AbstractContextManager[None] = nullcontext()
    if plain_attention:
        attention = unfused_attention()
    with torch.no_grad(), forward_ad.dual_level(), attention:
        duals: dict[str, Tensor] = {}
        for name, tangent in direction.items():
            primal = parameters[name].detach()
            duals[name] = make_dual(primal, tangent)
        dual_output = functional_call(module, duals, inputs)
        output, output_tangent = unpack_dual(dual_output)
        if output_tangent is None:
            return output.clone(), torch.zeros_like(output)
        return output.clone(), output_tangent.clone()


def output_derivative(
    losses: Callable[[Tensor], Tensor], output: Tensor, tangent: Tensor
) -> Tensor:
    r"""Compute the directional derivative of each sample's loss from the output's tangent.

    By the chain rule, :math:`s \cdot \nabla l(z_i) = \langle dl/dy_i, \; t_i \rangle` for the
    output's row :math:`y_i` and the tangent's row :math:`t_i`.

    >>> output, tangent = torch.tensor([[1.0], [2.0]]), torch.tensor([[10.0], [10.0]])
    >>> output_derivative(lambda y: y.square(), output, tangent)
    tensor([20., 40.])

    Args:
        losses: A function from the output to the per-sample losses or their sum (not mean); sample
            i depends on row i alone.
        output: A tensor with the N samples in dimension 0.
        tangent: The output's tangent along s, of the same shape.

    Returns:
        s . grad l(z_i), shape (N,).
    """
    output = output.detach().requires_grad_()
    with torch.enable_grad():
        total_loss = losses(output).sum()
        (slope,) = torch.autograd.grad(
            total_loss, output, allow_unused=True, materialize_grads=True
        )
    return (slope * tangent).reshape(len(output), -1).sum(1)


def derivatives_along(
    losses: Tensor, params: Mapping[str, nn.Parameter], direction: Tensor
) -> Tensor:
    r"""Compute the derivative of each sample's loss along one direction by backward passes alone.

    With weights u of one, :math:`g(u) = \nabla_\theta \sum_i u_i l_i` is linear in u, and the
    derivative of :math:`s \cdot g(u)` by :math:`u_i` is :math:`s \cdot \nabla l_i`. It takes two
    passes for a whole batch, and no second derivative of the losses.

    >>> model = nn.Linear(2, 1, bias=False)
    >>> losses = model(torch.tensor([[1.0, 2.0], [3.0, 0.0]]))[:, 0]
    >>> params = dict(model.named_parameters())
    >>> derivatives_along(losses, params, torch.tensor([1.0, 10.0]))
    tensor([21.,  3.])

    Args:
        losses: Per-sample losses of shape (N,), with a graph.
        params: The parameters by name, P values in all.
        direction: s, of shape (P,).

    Returns:
        s . grad l of shape (N,), without a graph.
    """
    weights = torch.ones_like(losses, requires_grad=True)
    grad = gradient((weights * losses).sum(), dict(params), create_graph=True)
    (along,) = torch.autograd.grad(grad @ direction, weights)
    return along.detach()


def agree(
    fast: Tensor, slow: Tensor, direction: Tensor, slow_gradient_norm: float, rtol: float = 1e-3
) -> bool:
    r"""Check whether two derivatives of one sample are the same number.

    They are if :math:`|a - b| \le \text{rtol} \cdot |s| \, |\nabla l|`: the scale is that of both
    vectors, since the derivative itself may be close to zero. A slow derivative that is not finite
    cannot contradict, and counts as agreement.

    >>> s = torch.tensor([3.0, 4.0])
    >>> agree(torch.tensor(1.0), torch.tensor(1.004), s, slow_gradient_norm=1.0)
    True
    >>> agree(torch.tensor(1.0), torch.tensor(1.006), s, slow_gradient_norm=1.0)
    False

    Args:
        fast: Derivative by the method under test, a scalar.
        slow: Derivative by plain autograd, a scalar.
        direction: s, shape (P,).
        slow_gradient_norm: Norm of the sample's gradient by plain autograd.
        rtol: Relative difference that is allowed. Defaults to 1e-3.

    Returns:
        True if they agree.
    """
    if not bool(slow.isfinite()):
        return True
    scale = float(direction.norm()) * slow_gradient_norm
    return abs(float(fast) - float(slow)) <= rtol * scale + 1e-30
