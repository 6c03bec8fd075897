"""Second derivatives of a loss with respect to the outputs of the last layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

MAX_CHANNELS = 128
"""Outputs with more channels are not cut into blocks; their products go through the loss's own graph."""

RTOL = 1e-3


class OutputHessian:
    r"""The Hessian of a loss in a list of outputs :math:`z_c`, as a product.

    Detection and classification losses are sums over locations (pixels, boxes, samples), so the Hessian of an output is
    a small block a location: a number a channel (sigmoid losses), or a matrix (softmax; the four sides of a box).
    Blocks are found by probing the loss's own second derivative, and kept only if they give its product with a random
    vector; else the graph of the loss, which begins at the outputs, is kept and asked each time.

    Args:
        loss: A scalar with a graph from ``outs``.
        outs: The outputs.
        channel_dims: Dimension of the channels in each output.
        psd: Clamp each block to its positive semi-definite part: the generalised Gauss-Newton matrix's middle factor.
            A graph cannot be clamped; :attr:`clamped` says whether all was.
    """

    def __init__(self, loss: Tensor, outs: Sequence[Tensor], channel_dims: Sequence[int], psd: bool = False) -> None:
        self._outs, self._dims = list(outs), list(channel_dims)
        self._grads = torch.autograd.grad(loss, self._outs, create_graph=True, allow_unused=True,
                                          materialize_grads=True)
        self._parts = self._find_parts()
        self.clamped = not psd or self._parts is not None
        if self._parts is not None:
            self._grads = self._outs = ()
            if psd:
                self._parts = [part and part.clamp() for part in self._parts]

    def product(self, vectors: Sequence[Tensor]) -> list[Tensor | None]:
        """H u, for a vector in the shape of each output; None stands for zero."""
        if self._parts is None:
            return self._exact(vectors)
        return [part and part.product(u) for part, u in zip(self._parts, vectors, strict=True)]

    @property
    def nbytes(self) -> int:
        """Memory of what is kept beside the graph."""
        return sum(part.nbytes for part in self._parts or () if part)

    def _exact(self, vectors: Sequence[Tensor]) -> list[Tensor | None]:
        pairs = [(g, u) for g, u in zip(self._grads, vectors, strict=True) if g.requires_grad]
        if not pairs:
            return [None] * len(self._outs)
        return list(torch.autograd.grad([g for g, _ in pairs], self._outs, [u for _, u in pairs], retain_graph=True,
                                        allow_unused=True))

    def _find_parts(self) -> list | None:
        """A part for every output, None where the loss is linear; or None if they are not blocks of a location."""
        generator = torch.Generator().manual_seed(0)
        probe = [torch.randint(0, 2, o.shape, generator=generator).mul(2).sub(1).to(o) for o in self._outs]
        expected, sums = self._exact(probe), self._exact([torch.ones_like(o) for o in self._outs])
        parts = []
        for i, (u, want, diagonal) in enumerate(zip(probe, expected, sums, strict=True)):
            part = None if want is None or not bool(want.any()) else _Diagonal(diagonal)
            if part and not _close(part.product(u), want):
                if u.shape[self._dims[i]] > MAX_CHANNELS:
                    return None
                part = _Blocks(self._columns(i), self._dims[i])
                if not _close(part.product(u), want):
                    return None
            parts.append(part)
        return parts

    def _columns(self, i: int) -> list[Tensor]:
        """Product with the unit vector of every channel of output i, at all locations at once."""
        columns, dim = [], self._dims[i]
        for channel in range(self._outs[i].shape[dim]):
            unit = [torch.zeros_like(o) for o in self._outs]
            unit[i].select(dim, channel).fill_(1)
            column = self._exact(unit)[i]
            columns.append(unit[i] * 0 if column is None else column)
        return columns


def _close(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).norm() <= RTOL * expected.norm())


class _Diagonal:

    def __init__(self, values: Tensor) -> None:
        self._values = values

    @property
    def nbytes(self) -> int:
        return self._values.nbytes

    def product(self, u: Tensor) -> Tensor:
        return self._values * u

    def clamp(self) -> _Diagonal:
        return _Diagonal(self._values.clamp(min=0))


class _Blocks:
    """A matrix a location, kept where it is not zero."""

    def __init__(self, columns: list[Tensor] | None, dim: int, rows: Tensor | None = None,
                 blocks: Tensor | None = None) -> None:
        self._dim = dim
        if blocks is None:
            matrices = torch.stack([c.movedim(dim, -1).flatten(0, -2) for c in columns], -1)
            rows = matrices.flatten(1).any(1).nonzero()[:, 0]
            blocks = matrices[rows]
        self._rows, self._blocks = rows, blocks

    @property
    def nbytes(self) -> int:
        return self._rows.nbytes + self._blocks.nbytes

    def product(self, u: Tensor) -> Tensor:
        last = u.movedim(self._dim, -1)
        flat = last.flatten(0, -2)
        result = torch.zeros_like(flat)
        result[self._rows] = torch.einsum('lij,lj->li', self._blocks, flat[self._rows])
        return result.view(last.shape).movedim(-1, self._dim)

    def clamp(self) -> _Blocks:
        blocks = (self._blocks + self._blocks.mT) / 2
        values, vectors = torch.linalg.eigh(blocks)
        return _Blocks(None, self._dim, self._rows, (vectors * values.clamp(min=0)[:, None]) @ vectors.mT)
