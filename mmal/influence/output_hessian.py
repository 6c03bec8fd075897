"""Second derivatives of a loss with respect to the outputs of the last layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .second_derivative import require_second_derivative

MAX_CHANNELS = 128
"""Outputs with more channels are not cut into blocks; their products go through the loss's own
graph."""

MAX_MATRICES = 16_000
"""Number of matrices whose eigenvectors are found at once; cuSOLVER refuses about twice as many."""

RTOL = 1e-3
"""Relative difference up to which a product by blocks counts as equal to that of the graph."""


class OutputHessian:
    r"""The Hessian of a loss in a list of outputs :math:`z_c`, as a product.

    It is :math:`H_{out} = \partial^2 l / \partial z_c \partial z_{c'}`. Detection and
    classification losses are sums over locations (pixels, boxes, samples), so the Hessian of an
    output is one small block per location: one number per channel (sigmoid losses), or a matrix
    (softmax; the four sides of a box). Blocks are found by probing the loss's own second
    derivative, and kept only if they give its product with a random vector.

    Where an output is no such sum, or is too wide, the graph of the loss, which begins at the
    outputs, is kept and run at each product.

    >>> z = torch.tensor([[1.0, 2.0]], requires_grad=True)
    >>> loss = z.pow(3).sum() / 6  # its Hessian is diag(z)
    >>> hessian = OutputHessian(loss, [z], channel_dims=[-1])
    >>> hessian.product([torch.tensor([[10.0, 10.0]])])
    [tensor([[10., 20.]])]

    Args:
        loss: A scalar with a graph from ``outs``: the *sum* of the per-sample losses of a batch
            gives their summed Hessian.
        outs: The outputs.
        channel_dims: Dimension of the channels in each output.

    Attributes:
        clamped: False after :meth:`clamp` if some output has no blocks to clamp, otherwise True.

    Raises:
        NotTwiceDifferentiable: If an operator between outputs and loss has no second derivative.
        RuntimeError: If one is not implemented.
    """

    def __init__(self, loss: Tensor, outs: Sequence[Tensor], channel_dims: Sequence[int]) -> None:
        self._outs = list(outs)
        self._dims = list(channel_dims)
        self._grads = list(
            torch.autograd.grad(
                loss, self._outs, create_graph=True, allow_unused=True, materialize_grads=True
            )
        )
        require_second_derivative(loss, self._grads)
        self.clamped = True
        self._parts = self._find_parts()
        self._by_graph: list[int] = []
        for i, part in enumerate(self._parts):
            if isinstance(part, _Graph):
                self._by_graph.append(i)
        if not self._by_graph:
            self._outs = []
            self._grads = []

    @property
    def nbytes(self) -> int:
        """Memory of what is kept, in bytes; that of a graph is a guess: eight times its outputs."""
        total = 0
        for i, part in enumerate(self._parts):
            if isinstance(part, _Graph):
                total += 8 * self._outs[i].nbytes
            elif part is not None:
                total += part.nbytes
        return total

    def clamp(self) -> None:
        """Cut every block to its positive semi-definite part.

        What is left is the middle factor of the generalised Gauss-Newton matrix. A graph cannot be
        cut; :attr:`clamped` tells whether every output was.
        """
        for i, part in enumerate(self._parts):
            if isinstance(part, (_Diagonal, _Blocks)):
                self._parts[i] = part.clamp()
        self.clamped = not self._by_graph

    def product(self, vectors: Sequence[Tensor]) -> list[Tensor | None]:
        """Multiply a vector by the Hessian.

        Args:
            vectors: u, one tensor per output, of its shape.

        Returns:
            H u, one tensor per output, of its shape and without a graph. None stands for zero.
        """
        products: list[Tensor | None] = []
        for part, vector in zip(self._parts, vectors, strict=True):
            if isinstance(part, (_Diagonal, _Blocks)):
                products.append(part.product(vector))
            else:
                products.append(None)
        if self._by_graph:
            exact = self._product_by_graph(_only_in_graph(self._parts, vectors))
            for i in self._by_graph:
                products[i] = exact[i]
        return products

    def _product_by_graph(self, vectors: Sequence[Tensor | None]) -> list[Tensor | None]:
        """H u through the graph of the loss; a vector that is None counts as zero."""
        grads: list[Tensor] = []
        chosen_vectors: list[Tensor] = []
        for grad, vector in zip(self._grads, vectors, strict=True):
            if grad.requires_grad and vector is not None:
                grads.append(grad)
                chosen_vectors.append(vector)
        if not grads:
            return [None] * len(self._outs)
        products = torch.autograd.grad(
            grads, self._outs, chosen_vectors, retain_graph=True, allow_unused=True
        )
        return list(products)

    def _find_parts(self) -> list[_Part]:
        """For every output its blocks, None where the loss is linear, or the mark of the graph."""
        # Gaussian: signs alone cannot tell a block from a diagonal where they happen to be equal
        probes = _gaussian_like(self._outs)
        expected = self._product_by_graph(probes)
        ones = [torch.ones_like(out) for out in self._outs]
        row_sums = self._product_by_graph(ones)

        parts: list[_Part] = []
        for i, probe in enumerate(probes):
            part = self._find_part(i, probe, expected[i], row_sums[i])
            parts.append(part)
        if self._graph_parts_are_coupled(parts, probes, expected):
            # an output coupled to another shows as no block; then both must go through the graph
            return [None if product is None else _Graph() for product in expected]
        return parts

    def _find_part(
        self, i: int, probe: Tensor, expected: Tensor | None, row_sums: Tensor | None
    ) -> _Part:
        """The simplest form of output i's own Hessian that gives the expected product."""
        if expected is None or row_sums is None or not bool(expected.any()):
            return None
        diagonal = _Diagonal(row_sums)
        if _close(diagonal.product(probe), expected, floor=0.0):
            return diagonal
        if probe.shape[self._dims[i]] > MAX_CHANNELS:
            return _Graph()
        blocks = _Blocks.from_columns(self._columns(i), self._dims[i])
        if _close(blocks.product(probe), expected, _rounding(probe)):
            return blocks
        return _Graph()

    def _graph_parts_are_coupled(
        self, parts: list[_Part], probes: list[Tensor], expected: list[Tensor | None]
    ) -> bool:
        """Whether outputs left to the graph miss a share of their product that others cause."""
        if not any(isinstance(part, _Graph) for part in parts):
            return False
        alone = self._product_by_graph(_only_in_graph(parts, probes))
        for i, part in enumerate(parts):
            expected_product = expected[i]
            if not isinstance(part, _Graph) or expected_product is None:
                continue
            product = alone[i]
            if product is None:
                product = torch.zeros_like(probes[i])
            if not _close(product, expected_product, _rounding(probes[i])):
                return True
        return False

    def _columns(self, i: int) -> list[Tensor]:
        """Product with the unit vector of every channel of output i, at all locations at once."""
        columns: list[Tensor] = []
        dim = self._dims[i]
        for channel in range(self._outs[i].shape[dim]):
            units = [torch.zeros_like(out) for out in self._outs]
            units[i].select(dim, channel).fill_(1)
            column = self._product_by_graph(units)[i]
            if column is None:
                column = torch.zeros_like(units[i])
            columns.append(column)
        return columns


class _Graph:
    """Marks an output whose products go through the graph of the loss."""


class _Diagonal:
    """A diagonal Hessian: one number per element of the output."""

    def __init__(self, values: Tensor) -> None:
        self._values = values

    @property
    def nbytes(self) -> int:
        """Memory of the numbers, in bytes."""
        return self._values.nbytes

    def product(self, vector: Tensor) -> Tensor:
        """H u, in the shape of the output."""
        return self._values * vector

    def clamp(self) -> _Diagonal:
        """Its positive semi-definite part."""
        return _Diagonal(self._values.clamp(min=0))


class _Blocks:
    """A matrix per location, kept where it is not zero.

    Args:
        blocks: Matrices of shape (L, C, C) for L locations and C channels.
        rows: Numbers of these locations, shape (L,), or None if they are all.
        dim: Dimension of the channels in the output.
    """

    def __init__(self, blocks: Tensor, rows: Tensor | None, dim: int) -> None:
        self._blocks = blocks
        self._rows = rows
        self._dim = dim

    @classmethod
    def from_columns(cls, columns: list[Tensor], dim: int) -> _Blocks:
        """Build the blocks from the products with the unit vectors of all channels."""
        by_location = [column.movedim(dim, -1).flatten(0, -2) for column in columns]
        blocks = torch.stack(by_location, -1)
        nonzero = blocks.flatten(1).any(1)
        if bool(nonzero.all()):
            return cls(blocks, None, dim)
        rows = nonzero.nonzero()[:, 0]
        return cls(blocks[rows], rows, dim)

    @property
    def nbytes(self) -> int:
        """Memory of the matrices and their locations, in bytes."""
        if self._rows is None:
            return self._blocks.nbytes
        return self._blocks.nbytes + self._rows.nbytes

    def product(self, vector: Tensor) -> Tensor:
        """H u, in the shape of the output."""
        channels_last = vector.movedim(self._dim, -1)
        flat = channels_last.flatten(0, -2)
        if self._rows is None:
            result = self._multiply(flat)
        else:
            product = self._multiply(flat[self._rows])
            result = torch.zeros_like(flat).index_copy_(0, self._rows, product)
        return result.view(channels_last.shape).movedim(-1, self._dim)

    def _multiply(self, rows: Tensor) -> Tensor:
        """Each matrix times its row."""
        return torch.bmm(self._blocks, rows[..., None])[..., 0]

    def clamp(self) -> _Blocks:
        """Its positive semi-definite part."""
        symmetric = (self._blocks + self._blocks.mT) / 2
        pieces = torch.split(symmetric, MAX_MATRICES)
        clamped = torch.cat([_psd_part(piece) for piece in pieces])
        return _Blocks(clamped, self._rows, self._dim)


_Part = _Diagonal | _Blocks | _Graph | None
"""How the Hessian of one output is kept; None if it is zero."""


def _gaussian_like(outs: Sequence[Tensor]) -> list[Tensor]:
    """Normal random numbers for each output, made on its device; always the same."""
    generator: torch.Generator | None = None
    probes: list[Tensor] = []
    for out in outs:
        if generator is None:
            generator = torch.Generator(device=out.device).manual_seed(0)
        noise = torch.randn(out.shape, generator=generator, dtype=torch.double, device=out.device)
        probes.append(noise.to(out))
    return probes


def _psd_part(matrices: Tensor) -> Tensor:
    """Positive semi-definite parts of symmetric matrices, shape (L, C, C).

    Raises:
        FloatingPointError: If the eigenvectors do not give the matrices back.
    """
    values, vectors = torch.linalg.eigh(matrices)
    if not _gives_back(matrices, values, vectors):
        # Batched solvers of GPUs have returned vectors that were not orthonormal.
        values, vectors = _eigh_on_cpu(matrices)
        if not _gives_back(matrices, values, vectors):
            raise FloatingPointError(
                "The eigenvectors of the loss's second derivatives do not give these back. Look "
                "for images with an extreme loss, or take solver.curvature='hessian'."
            )
    psd_part: Tensor = (vectors * values.clamp(min=0)[:, None]) @ vectors.mT
    return psd_part


def _eigh_on_cpu(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors by LAPACK in float64, brought back to the matrices' device."""
    values, vectors = torch.linalg.eigh(matrices.cpu().double())
    return values.to(matrices), vectors.to(matrices)


def _gives_back(matrices: Tensor, values: Tensor, vectors: Tensor) -> bool:
    """Whether each matrix is V diag(w) V^T; one that is not finite is given back as NaN."""
    product = (vectors * values[:, None]) @ vectors.mT
    difference = (product - matrices).flatten(1).norm(dim=1)
    size = matrices.flatten(1).norm(dim=1)
    return not bool((difference > RTOL * size).any())


def _only_in_graph(parts: Sequence[_Part], vectors: Sequence[Tensor]) -> list[Tensor | None]:
    """The vectors of the outputs whose products go through the graph; None for the others."""
    chosen: list[Tensor | None] = []
    for part, vector in zip(parts, vectors, strict=True):
        if isinstance(part, _Graph):
            chosen.append(vector)
        else:
            chosen.append(None)
    return chosen


def _rounding(probe: Tensor) -> float:
    """Rounding errors of the second derivative, along a probe, of losses of order one."""
    eps = torch.finfo(probe.dtype).eps
    return 4 * eps * float(probe.norm())


def _close(product: Tensor, expected: Tensor, floor: float) -> bool:
    """Whether two products differ by at most RTOL, or by rounding errors alone."""
    difference = (product - expected).norm()
    tolerance = RTOL * expected.norm() + floor
    return bool(difference <= tolerance)
