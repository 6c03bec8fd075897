"""Products of the loss Hessian with a vector."""

from __future__ import annotations

from torch import Tensor, nn

from .params import gradient


def hvp(loss: Tensor, params: dict[str, nn.Parameter], vector: Tensor) -> Tensor:
    r"""Hessian-vector product :math:`\nabla^2 \text{loss} \cdot v` by double backward.

    Args:
        loss: A scalar with a graph; the *mean* of the per-sample losses of a batch gives the mean Hessian.
        params: The parameters the Hessian is restricted to, P values in all.
        vector: v, of shape (P,).

    Returns:
        A vector of shape (P,), without a graph.
    """
    grad = gradient(loss, params, create_graph=True)
    if not grad.requires_grad:  # the loss is linear in the parameters or does not reach them
        return vector.new_zeros(vector.shape)
    return gradient(grad @ vector, params).detach()
