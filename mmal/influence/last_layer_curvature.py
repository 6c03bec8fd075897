"""Closed-form curvature of last layers, on cached layer inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .affine import AffineTape, LayerCall
from .curvature import hvp, mean_of
from .output_hessian import OutputHessian
from .parameters import flatten, unflatten
from .unfused_attention import unfused_attention

AGREEMENT = 1e-3
"""Relative difference of a product from that of double backward that float32 may cause."""


class NotLast(ValueError):
    """The chosen layers are not last: the loss is not a function of their outputs alone."""


@dataclass
class _CachedBatch:
    """What products with one mini-batch need.

    Attributes:
        n_samples: Number of samples, whether they reach the chosen layers or not.
        calls: Calls of the chosen layers with their inputs, without their outputs.
        hessian: Summed Hessian of the losses in the outputs, or None if no chosen layer was called.
    """

    n_samples: int
    calls: list[LayerCall]
    hessian: OutputHessian | None

    @property
    def nbytes(self) -> int:
        """Memory of inputs and blocks, in bytes; an input of several calls counts once."""
        input_bytes = {call.x.data_ptr(): call.x.nbytes for call in self.calls}
        total = sum(input_bytes.values())
        if self.hessian is not None:
            total += self.hessian.nbytes
        return total


class AffineCurvature:
    r"""The exact Hessian of affine last layers, or its positive semi-definite part.

    No double backward is needed. The outputs :math:`z = J \theta` of a last layer are affine in its
    parameters, so the Hessian *is* :math:`J^T H_{out} J`. A product with a vector h has three
    steps:

    1. :math:`t_c = x_c * h` for every call c of a layer, on its cached input;
    2. :math:`u = H_{out} t`;
    3. the weight gradient of :math:`x_c` with :math:`u_c`, summed over the calls.

    The model itself runs once, when a batch is added. With ``kind='ggn'`` the blocks of
    :math:`H_{out}` are clamped to their positive semi-definite part. Products are means over
    samples, as :class:`~mmal.influence.curvature.Curvature` demands. The first batch is compared
    with double backward.

    >>> model, x = nn.Linear(2, 1, bias=False), torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    >>> curvature = AffineCurvature(model, dict(model.named_parameters()))
    >>> curvature.add(lambda batch: model(batch)[:, 0].square() / 2, x)  # Hessians x_i x_i^T
    >>> curvature.product(torch.tensor([1.0, 0.0]))
    tensor([5., 1.])

    Args:
        model: The model.
        params: The chosen parameters, P values in all, of linear or convolutional last layers. They
            must require gradients.
        kind: 'hessian' or 'ggn'. Defaults to 'hessian'.

    Attributes:
        params: The chosen parameters.
        kind: 'hessian' or 'ggn'.
        evaluations: Number of per-sample products made so far.
        clamped: False if some outputs have no blocks to clamp, so that with 'ggn' their Hessian is
            used as it is.
        nbytes: Memory of cached inputs and blocks, in bytes.

    Raises:
        NotAffine: If a parameter is owned by anything but a linear or convolutional layer.
    """

    def __init__(
        self, model: nn.Module, params: dict[str, nn.Parameter], kind: str = 'hessian'
    ) -> None:
        self.params = params
        self.kind = kind
        self.evaluations = 0
        self.clamped = True
        self.nbytes = 0
        self._tape = AffineTape(model, params)
        self._batches: list[_CachedBatch] = []

    def __len__(self) -> int:
        """Return the number of mini-batches added so far."""
        return len(self._batches)

    def add(self, losses: Callable[[Any], Tensor], batch: Any) -> None:
        """Run the model on one mini-batch, and keep what products need.

        Args:
            losses: A function from a batch to its per-sample losses, shape (N,), with a graph.
            batch: The mini-batch.

        Raises:
            NotImplementedError: If an operator behind the layers, such as fused attention, has no
                second derivative.
            NotLast: If the first batch's product differs from that of double backward: a chosen
                layer feeds another, is used behind the module's back, or is not affine after all.
        """
        with self._tape as tape:
            per_sample = losses(batch)
        loss = per_sample.sum()
        calls = tape.calls if loss.requires_grad else []
        tape.calls = []
        hessian = _output_hessian(loss, calls)
        if not self._batches:
            self._compare_with_double_backward(calls, hessian, losses, batch)
        if hessian is None:
            # the batch does not reach the chosen layers; it counts in the mean
            self._batches.append(_CachedBatch(len(per_sample), [], None))
            return
        if self.kind == 'ggn':
            hessian.clamp()
        self.clamped &= hessian.clamped

        # the graph is released; a product needs inputs and blocks alone
        calls = [LayerCall(call.layer, call.param_names, call.x, None) for call in calls]
        cached = _CachedBatch(len(per_sample), calls, hessian)
        self._batches.append(cached)
        self.nbytes += cached.nbytes

    def product(self, vector: Tensor, batch: int | None = None) -> Tensor:
        """Multiply a vector by the mean curvature.

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
        n_samples = sum(cached.n_samples for cached in chosen)
        self.evaluations += n_samples
        direction = self._direction(vector)
        total: dict[str, Tensor] = {}
        for name, tensor in direction.items():
            total[name] = torch.zeros_like(tensor, dtype=torch.double)
        for cached in chosen:
            if cached.hessian is None:
                continue
            parts = _product(cached.calls, cached.hessian, direction)
            for name, part in parts.items():
                total[name] += part
        count = vector.new_tensor([n_samples], dtype=torch.double)
        return torch.cat([flatten(total), count])

    def _direction(self, vector: Tensor) -> dict[str, Tensor]:
        """A vector cut into one tensor per parameter, each requiring gradients."""
        direction: dict[str, Tensor] = {}
        for name, piece in unflatten(vector, self.params).items():
            direction[name] = piece.detach().requires_grad_()
        return direction

    def _compare_with_double_backward(
        self,
        calls: list[LayerCall],
        hessian: OutputHessian | None,
        losses: Callable[[Any], Tensor],
        batch: Any,
    ) -> None:
        """Raise NotLast if the product with a random vector is not that of double backward."""
        generator = torch.Generator().manual_seed(0)
        n_params = sum(parameter.numel() for parameter in self.params.values())
        like = next(iter(self.params.values()))
        h = torch.randn(n_params, generator=generator).to(like)
        # fused attention has no second derivative
        with unfused_attention():
            expected = hvp(losses(batch).sum(), self.params, h)

        direction = self._direction(h)
        parts: dict[str, Tensor] = {}
        if hessian is not None:
            parts = _product(calls, hessian, direction)
        pieces: dict[str, Tensor] = {}
        for name, tensor in direction.items():
            pieces[name] = parts.get(name, torch.zeros_like(tensor))
        product = flatten(pieces)

        difference = (product - expected).norm()
        rounding = _rounding(calls, direction, h.dtype)
        # also raises where the difference is not a number
        if not difference <= AGREEMENT * expected.norm() + rounding:
            raise NotLast(
                f'the closed form gives {float(product.norm()):.4g} where double backward gives '
                f'{float(expected.norm()):.4g} in norm, {float(difference):.4g} apart'
            )


def _output_hessian(loss: Tensor, calls: list[LayerCall]) -> OutputHessian | None:
    """The Hessian of a loss in the outputs of the calls; None without calls."""
    if not calls:
        return None
    outputs = [call.output for call in calls if call.output is not None]
    channel_dims = [call.channel_dim for call in calls]
    try:
        return OutputHessian(loss, outputs, channel_dims)
    except RuntimeError as error:
        # double backward runs attention unfused, so it may still succeed
        if 'is not implemented' in str(error):
            raise NotImplementedError(str(error).splitlines()[0]) from error
        raise


def _product(
    calls: list[LayerCall], hessian: OutputHessian, direction: dict[str, Tensor]
) -> dict[str, Tensor]:
    """J^T H_out J h by parameter name; a parameter without a share is missing."""
    with torch.enable_grad():
        tangents = [call.tangent(direction) for call in calls]
    curved = hessian.product([tangent.detach() for tangent in tangents])
    total: dict[str, Tensor] = {}
    for call, tangent, u in zip(calls, tangents, curved, strict=True):
        if u is None:
            continue
        for name, part in call.pullback(u, tangent, direction).items():
            if name in total:
                total[name] = total[name] + part
            else:
                total[name] = part
    return total


def _rounding(calls: list[LayerCall], direction: dict[str, Tensor], dtype: torch.dtype) -> float:
    """What rounding errors of the outputs' second derivative can make of the product."""
    size = 0.0
    with torch.no_grad():
        for call in calls:
            tangent = call.tangent(direction)
            size += float(call.x.norm() * tangent.norm())
    eps = torch.finfo(dtype).eps
    return size * 8 * eps
