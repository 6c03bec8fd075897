"""Products of the mean loss curvature with a vector, of a whole set or of one mini-batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from .parameters import gradient
from .second_derivative import require_second_derivative
from .unfused_attention import unfused_attention


def hvp(
    loss: Tensor, params: dict[str, nn.Parameter], vector: Tensor, check: bool = True
) -> Tensor:
    r"""Compute a Hessian-vector product :math:`\nabla^2 l \cdot h` by double backward.

    >>> model = nn.Linear(2, 1, bias=False)
    >>> loss = model(torch.tensor([[1.0, 2.0]])).square().sum() / 2  # its Hessian is x x^T
    >>> hvp(loss, dict(model.named_parameters()), torch.tensor([1.0, 0.0]))
    tensor([1., 2.])

    Args:
        loss: A scalar with a graph. The *mean* of the per-sample losses of a batch gives the mean
            Hessian.
        params: The parameters the Hessian is restricted to, P values in all.
        vector: h, shape (P,).
        check: Whether to follow the graph and refuse operators without a second derivative.
            Defaults to True.

    Returns:
        The product, shape (P,), without a graph.

    Raises:
        NotTwiceDifferentiable: If an operator on the way has no second derivative.
    """
    grad = gradient(loss, params, create_graph=True)
    # the loss is linear in the parameters or does not reach them
    if not grad.requires_grad:
        return vector.new_zeros(vector.shape)
    if check:
        require_second_derivative(loss, [grad])
    return gradient(grad @ vector, params).detach()


class Curvature(Protocol):
    r"""The mean curvature of the per-sample losses of a set; what solvers work on.

    The set is cut into mini-batches. With N samples :math:`z_i` in the set, it is the P x P matrix
    :math:`H = \frac{1}{N} \sum_i \nabla^2 l(z_i)`, or its positive semi-definite part.

    Attributes:
        params: The chosen parameters, P values in all.
        kind: 'hessian', or 'ggn' for its positive semi-definite part.
        evaluations: Number of per-sample products made so far.
    """

    params: dict[str, nn.Parameter]
    kind: str
    evaluations: int

    def __len__(self) -> int:
        """Return the number of mini-batches."""

    def product(self, vector: Tensor, batch: int | None = None) -> Tensor:
        """Multiply a vector by the mean curvature, a mean over samples.

        Args:
            vector: h, shape (P,).
            batch: Number of the mini-batch whose curvature is taken. Defaults to None: the whole
                set.

        Returns:
            H h, shape (P,), without a graph.
        """

    def sums(self, vector: Tensor, batch: int | None = None) -> Tensor:
        """Compute the sum that :meth:`product` is the mean of, together with the number of samples.

        Each mini-batch's product is made by itself and added in float64. So it hardly matters which
        process adds which mini-batches.

        Args:
            vector: h, shape (P,).
            batch: Number of the mini-batch whose curvature is taken. Defaults to None: the whole
                set.

        Returns:
            A float64 vector of shape (P + 1,): the sum over samples of their curvatures' products
            with h, and behind it the number of samples.
        """


def mean_of(sums: Tensor, like: Tensor) -> Tensor:
    """Divide what :meth:`Curvature.sums` returns by its number of samples.

    Args:
        sums: A vector of shape (P + 1,), the number of samples behind the sums.
        like: A tensor of the type and device wanted.

    Returns:
        The mean over samples, shape (P,).
    """
    return (sums[:-1] / sums[-1]).to(like)


class DoubleBackward:
    r"""The Hessian by double backward, for any model and parameters.

    It is the mean :math:`\frac{1}{N} \sum_i \nabla^2 l(z_i)` over samples. The model runs at every
    product. Every operator between the losses and the parameters must have a second derivative; the
    first product is checked for that.

    >>> model, x = nn.Linear(2, 1, bias=False), torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    >>> losses = lambda batch: model(batch)[:, 0].square() / 2  # their Hessians are x_i x_i^T
    >>> curvature = DoubleBackward(losses, [x], dict(model.named_parameters()))
    >>> curvature.product(torch.tensor([1.0, 0.0]))
    tensor([5., 1.])

    Args:
        losses: A function from a batch to its per-sample losses, shape (N,), with a graph.
        batches: The mini-batches, kept in memory. None of them may be empty.
        params: The chosen parameters, P values in all. They must require gradients.

    Attributes:
        kind: Always 'hessian'.
        params: The chosen parameters.
        evaluations: Number of per-sample products made so far.
    """

    kind: str = 'hessian'

    def __init__(
        self,
        losses: Callable[[Any], Tensor],
        batches: Sequence[Any],
        params: dict[str, nn.Parameter],
    ) -> None:
        self._losses = losses
        self._batches = list(batches)
        self.params = params
        self.evaluations = 0
        self._checked = False

    def __len__(self) -> int:
        """Return the number of mini-batches."""
        return len(self._batches)

    def product(self, vector: Tensor, batch: int | None = None) -> Tensor:
        """Multiply a vector by the mean Hessian.

        Args:
            vector: h, shape (P,).
            batch: Number of the mini-batch whose curvature is taken. Defaults to None: the whole
                set.

        Returns:
            H h, shape (P,), without a graph.
        """
        return mean_of(self.sums(vector, batch), vector)

    def sums(self, vector: Tensor, batch: int | None = None) -> Tensor:
        """Compute the sum of the per-sample products; see :meth:`Curvature.sums`.

        Args:
            vector: h, shape (P,).
            batch: Number of the mini-batch whose curvature is taken. Defaults to None: the whole
                set.

        Returns:
            A float64 vector of shape (P + 1,): the sum, and behind it the number of samples.
        """
        chosen = self._batches if batch is None else [self._batches[batch]]
        total = vector.new_zeros(vector.shape, dtype=torch.double)
        n_samples = 0
        for samples in chosen:
            # fused attention has no second derivative
            with unfused_attention():
                losses = self._losses(samples)
                total += hvp(losses.sum(), self.params, vector, check=not self._checked)
            self._checked = True
            n_samples += len(losses)
        self.evaluations += n_samples
        return torch.cat([total, total.new_tensor([n_samples])])
