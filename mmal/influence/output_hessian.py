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
    vector. Where an output is no such sum, or is too wide, the graph of the loss, which begins at the outputs, is kept
    and asked each time.

    Args:
        loss: A scalar with a graph from ``outs``.
        outs: The outputs.
        channel_dims: Dimension of the channels in each output.

    Raises:
        RuntimeError: If the loss does not depend on the outputs by operators that have a second derivative.
    """

    def __init__(self, loss: Tensor, outs: Sequence[Tensor], channel_dims: Sequence[int]) -> None:
        self._outs, self._dims = list(outs), list(channel_dims)
        self._grads = torch.autograd.grad(
            loss, self._outs, create_graph=True, allow_unused=True, materialize_grads=True
        )
        self._parts = self._find_parts()
        self._by_graph = [i for i, part in enumerate(self._parts) if part is _GRAPH]
        self.clamped = True
        if not self._by_graph:
            self._grads = self._outs = ()

    def clamp(self) -> None:
        """Cut every block to its positive semi-definite part: the generalised Gauss-Newton matrix's middle factor.

        A graph cannot be cut; :attr:`clamped` says whether all was.
        """
        self.clamped = not self._by_graph
        self._parts = [
            part.clamp() if isinstance(part, (_Diagonal, _Blocks)) else part for part in self._parts
        ]

    def product(self, vectors: Sequence[Tensor]) -> list[Tensor | None]:
        """H u, for a vector in the shape of each output; None stands for zero."""
        found = [
            part and part.product(u) if part is not _GRAPH else None
            for part, u in zip(self._parts, vectors, strict=True)
        ]
        if self._by_graph:
            exact = self._exact(
                [
                    u if part is _GRAPH else None
                    for part, u in zip(self._parts, vectors, strict=True)
                ]
            )
            for i in self._by_graph:
                found[i] = exact[i]
        return found

    @property
    def nbytes(self) -> int:
        """Memory of what is kept; that of a graph is a guess: eight times its outputs."""
        graphs = sum(8 * self._outs[i].nbytes for i in self._by_graph)
        return graphs + sum(
            part.nbytes for part in self._parts if isinstance(part, (_Diagonal, _Blocks))
        )

    def _exact(self, vectors: Sequence[Tensor | None]) -> list[Tensor | None]:
        pairs = [
            (g, u)
            for g, u in zip(self._grads, vectors, strict=True)
            if g.requires_grad and u is not None
        ]
        if not pairs:
            return [None] * len(self._outs)
        return list(
            torch.autograd.grad(
                [g for g, _ in pairs],
                self._outs,
                [u for _, u in pairs],
                retain_graph=True,
                allow_unused=True,
            )
        )

    def _find_parts(self) -> list:
        """For every output its blocks, None where the loss is linear, or _GRAPH."""
        generator = torch.Generator().manual_seed(0)
        # Gaussian: signs alone cannot tell a block from a diagonal where they happen to be equal
        probe = [
            torch.randn(o.shape, generator=generator, dtype=torch.double).to(o) for o in self._outs
        ]
        expected, sums = self._exact(probe), self._exact([torch.ones_like(o) for o in self._outs])
        parts = [
            self._find_part(i, u, want, diagonal)
            for i, (u, want, diagonal) in enumerate(zip(probe, expected, sums, strict=True))
        ]
        if (
            _GRAPH in parts
        ):  # an output coupled to another shows as no block; then both must go through the graph
            alone = self._exact(
                [u if part is _GRAPH else None for part, u in zip(parts, probe, strict=True)]
            )
            for part, u, want, found in zip(parts, probe, expected, alone, strict=True):
                if part is _GRAPH and not _close(
                    torch.zeros_like(u) if found is None else found, want, _rounding(u)
                ):
                    return [None if want is None else _GRAPH for want in expected]
        return parts

    def _find_part(self, i: int, u: Tensor, want: Tensor | None, diagonal: Tensor | None):
        if want is None or not bool(want.any()):
            return None
        part = _Diagonal(diagonal)
        if _close(part.product(u), want, floor=0.0):
            return part
        if u.shape[self._dims[i]] > MAX_CHANNELS:
            return _GRAPH
        part = _Blocks(self._columns(i), self._dims[i])
        return part if _close(part.product(u), want, _rounding(u)) else _GRAPH

    def _columns(self, i: int) -> list[Tensor]:
        """Product with the unit vector of every channel of output i, at all locations at once."""
        columns, dim = [], self._dims[i]
        for channel in range(self._outs[i].shape[dim]):
            unit = [torch.zeros_like(o) for o in self._outs]
            unit[i].select(dim, channel).fill_(1)
            column = self._exact(unit)[i]
            columns.append(unit[i] * 0 if column is None else column)
        return columns


_GRAPH = 'graph'


def _rounding(u: Tensor) -> float:
    """Rounding errors of the second derivative, along u, of losses of order one."""
    return 4 * torch.finfo(u.dtype).eps * float(u.norm())


def _close(found: Tensor, expected: Tensor, floor: float) -> bool:
    return bool((found - expected).norm() <= RTOL * expected.norm() + floor)


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

    def __init__(
        self,
        columns: list[Tensor] | None,
        dim: int,
        rows: Tensor | None = None,
        blocks: Tensor | None = None,
    ) -> None:
        self._dim = dim
        if blocks is None:
            matrices = torch.stack([c.movedim(dim, -1).flatten(0, -2) for c in columns], -1)
            some = matrices.flatten(1).any(1)
            rows = None if bool(some.all()) else some.nonzero()[:, 0]  # None: at every location
            blocks = matrices if rows is None else matrices[rows]
        self._rows, self._blocks = rows, blocks

    @property
    def nbytes(self) -> int:
        return self._blocks.nbytes + (0 if self._rows is None else self._rows.nbytes)

    def product(self, u: Tensor) -> Tensor:
        last = u.movedim(self._dim, -1)
        flat = last.flatten(0, -2)
        at = flat if self._rows is None else flat[self._rows]
        product = torch.bmm(self._blocks, at[..., None])[..., 0]
        result = (
            product
            if self._rows is None
            else torch.zeros_like(flat).index_copy_(0, self._rows, product)
        )
        return result.view(last.shape).movedim(-1, self._dim)

    def clamp(self) -> _Blocks:
        blocks = (self._blocks + self._blocks.mT) / 2
        values, vectors = torch.linalg.eigh(blocks)
        return _Blocks(
            None, self._dim, self._rows, (vectors * values.clamp(min=0)[:, None]) @ vectors.mT
        )
