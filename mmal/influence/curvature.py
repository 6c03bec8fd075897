"""Products of the mean loss curvature with a vector, whole or a mini-batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from .parameters import gradient


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


class Curvature(Protocol):
    """The mean curvature of the per-sample losses of a set, cut into mini-batches; what solvers work on.

    Attributes:
        params: The chosen parameters, P values in all.
        kind: 'hessian', or 'ggn' for its positive semi-definite part.
        evaluations: Per-sample products made so far.
    """

    params: dict[str, nn.Parameter]
    kind: str
    evaluations: int

    def __len__(self) -> int:
        """Number of mini-batches."""

    def product(self, vector: Tensor, batch: int | None = None) -> Tensor:
        """Mean curvature of one mini-batch, or of the whole set (a mean over samples), times a vector of shape (P,)."""

    def sums(self, vector: Tensor, batch: int | None = None) -> Tensor:
        """The sum that :meth:`product` is the mean of, and behind it the number of samples: float64, shape (P + 1,).

        Each mini-batch's product is made by itself and added in float64, so that it hardly matters who adds which.
        """


def mean_of(sums: Tensor, like: Tensor) -> Tensor:
    """The mean, shape (P,), of what :meth:`Curvature.sums` gives."""
    return (sums[:-1] / sums[-1]).to(like)


class DoubleBackward:
    """The Hessian by double backward: any model and parameters; runs the model at every product.

    Args:
        losses: Per-sample losses of a batch, of shape (N,), with a graph.
        batches: The mini-batches, kept in memory; N samples each, not 0.
        params: Chosen parameters; they must require gradients.
    """

    kind = 'hessian'

    def __init__(
        self,
        losses: Callable[[Any], Tensor],
        batches: Sequence[Any],
        params: dict[str, nn.Parameter],
    ) -> None:
        self._losses, self._batches, self.params, self.evaluations = (
            losses,
            list(batches),
            params,
            0,
        )

    def __len__(self) -> int:
        return len(self._batches)

    def product(self, vector: Tensor, batch: int | None = None) -> Tensor:
        return mean_of(self.sums(vector, batch), vector)

    def sums(self, vector: Tensor, batch: int | None = None) -> Tensor:
        total, n = vector.new_zeros(vector.shape, dtype=torch.double), 0
        for one in self._batches if batch is None else [self._batches[batch]]:
            with sdpa_kernel(SDPBackend.MATH):  # fused attention has no second derivative
                losses = self._losses(one)
                total += hvp(losses.sum(), self.params, vector)
            n += len(losses)
        self.evaluations += n
        return torch.cat([total, total.new_tensor([n])])
