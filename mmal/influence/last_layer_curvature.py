"""Closed-form curvature of last layers, on cached layer inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from .affine import AffineTape, LayerCall
from .curvature import hvp, mean_of
from .output_hessian import OutputHessian
from .parameters import flatten, unflatten

AGREEMENT = 1e-3
"""Relative difference of a product from that of double backward that float32 may cause."""


@dataclass
class _Batch:
    n: int
    uses: list[LayerCall]
    hessian: OutputHessian | None

    @property
    def nbytes(self) -> int:
        inputs = {use.x.data_ptr(): use.x.nbytes for use in self.uses}
        return sum(inputs.values()) + (self.hessian.nbytes if self.hessian else 0)


class NotLast(ValueError):
    """The chosen layers are not last: the loss is not a function of their outputs alone."""


class AffineCurvature:
    r"""The exact Hessian of affine last layers, or its positive semi-definite part, without double backward.

    The outputs :math:`z = J \theta` of a last layer are affine in its parameters, so the Hessian *is*
    :math:`J^T H_{out} J`. A product with a vector h is: :math:`t_c = x_c * h` for every use of a layer on its cached
    input, :math:`u = H_{out} t`, and the weight gradient of :math:`x_c` with :math:`u_c`, summed over the uses. The
    model itself runs once, when a batch is added. With ``kind='ggn'`` the blocks of :math:`H_{out}` are clamped to
    their positive semi-definite part.

    The first batch is compared with double backward.

    Args:
        model: The model.
        params: Chosen parameters, all of linear or convolutional last layers; they must require gradients.
        kind: 'hessian' or 'ggn'.

    Raises:
        NotAffine: If a parameter is owned by anything but a linear or convolutional layer.
    """

    def __init__(
        self, model: nn.Module, params: dict[str, nn.Parameter], kind: str = 'hessian'
    ) -> None:
        self.params, self.kind, self.evaluations = params, kind, 0
        self.clamped, self.nbytes = True, 0
        self._tape, self._batches = AffineTape(model, params), []

    def __len__(self) -> int:
        return len(self._batches)

    def add(self, losses: Callable[[Any], Tensor], batch: Any) -> None:
        """Run the model on one batch, and keep what products need.

        Args:
            losses: Per-sample losses of a batch, of shape (N,), with a graph.
            batch: Its argument.

        Raises:
            NotLast: If the first batch's product differs from that of double backward: a chosen layer feeds another,
                is used behind the module's back, or is not affine after all.
        """
        with self._tape as tape:
            per_sample = losses(batch)
        loss = per_sample.sum()
        uses, tape.uses = tape.uses if loss.requires_grad else [], []
        hessian = (
            OutputHessian(loss, [u.output for u in uses], [u.channel_dim for u in uses])
            if uses
            else None
        )
        if not self._batches:
            self._compare(uses, hessian, lambda: losses(batch).sum())
        if hessian is None:  # the batch does not reach the chosen layers; it counts in the mean
            self._batches.append(_Batch(len(per_sample), [], None))
            return
        if self.kind == 'ggn':
            hessian.clamp()
        self.clamped &= hessian.clamped
        # the graph goes; a product needs inputs and blocks alone
        kept = _Batch(
            len(per_sample), [LayerCall(u.layer, u.param_names, u.x, None) for u in uses], hessian
        )
        self._batches.append(kept)
        self.nbytes += kept.nbytes

    def product(self, vector: Tensor, batch: int | None = None) -> Tensor:
        return mean_of(self.sums(vector, batch), vector)

    def sums(self, vector: Tensor, batch: int | None = None) -> Tensor:
        chosen = self._batches if batch is None else [self._batches[batch]]
        n = sum(b.n for b in chosen)
        self.evaluations += n
        direction = self._direction(vector)
        total = {k: torch.zeros_like(t, dtype=torch.double) for k, t in direction.items()}
        for b in (b for b in chosen if b.uses):
            for name, part in _product(b.uses, b.hessian, direction).items():
                total[name] += part
        return torch.cat([flatten(total), vector.new_tensor([n], dtype=torch.double)])

    def _direction(self, vector: Tensor) -> dict[str, Tensor]:
        return {k: t.detach().requires_grad_() for k, t in unflatten(vector, self.params).items()}

    def _compare(
        self, uses: list[LayerCall], hessian: OutputHessian | None, again: Callable[[], Tensor]
    ) -> None:
        generator = torch.Generator().manual_seed(0)
        like = next(iter(self.params.values()))
        h = torch.randn(sum(p.numel() for p in self.params.values()), generator=generator).to(like)
        with sdpa_kernel(SDPBackend.MATH):  # fused attention has no second derivative
            expected = hvp(again(), self.params, h)
        direction = self._direction(h)
        parts = _product(uses, hessian, direction) if uses else {}
        found = flatten({k: parts.get(k, torch.zeros_like(t)) for k, t in direction.items()})
        # what rounding errors of the outputs' second derivative, of order eps, can make of the product
        with torch.no_grad():
            noise = (
                sum(float(u.x.norm() * u.tangent(direction).norm()) for u in uses)
                * 8
                * torch.finfo(h.dtype).eps
            )
        if not (found - expected).norm() <= AGREEMENT * expected.norm() + noise:
            raise NotLast(
                f'the closed form gives {float(found.norm()):.4g} where double backward gives '
                f'{float(expected.norm()):.4g} in norm, {float((found - expected).norm()):.4g} apart'
            )


def _product(
    uses: list[LayerCall], hessian: OutputHessian, direction: dict[str, Tensor]
) -> dict[str, Tensor]:
    """J^T H_out J h by parameter name."""
    with torch.enable_grad():
        tangents = [use.tangent(direction) for use in uses]
    curved = hessian.product([t.detach() for t in tangents])
    total: dict[str, Tensor] = {}
    for use, tangent, u in zip(uses, tangents, curved, strict=True):
        for name, part in (use.pullback(u, tangent, direction) if u is not None else {}).items():
            total[name] = total[name] + part if name in total else part
    return total
