"""Fisher selection for softmax layers: several columns a point, without a matrix of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 8192
"""Number of candidates that an update is applied to at one time."""

GRAM_NUMBERS = 2**23
"""Number of inner products that are computed at one time, about 64 MB."""


def softmax_factors(probabilities: Tensor, rank: int) -> Tensor:
    r"""Factor the curvature of the cross-entropy in the outputs of a softmax layer.

    It is :math:`\mathrm{diag}(p) - p p^T = \sum_a p_a (e_a - p)(e_a - p)^T`, the mean over classes
    of the squared gradient. Kept are the terms of the most probable classes, as in BAIT's code.

    Args:
        probabilities: p, shape (N, C).
        rank: Number m of classes that are kept; with C or more of them it is exact.

    Returns:
        Columns :math:`\sqrt{p_a}(e_a - p)`, the most probable class first, shape (N, C, m).
    """
    n_classes = probabilities.shape[1]
    kept = probabilities.topk(min(rank, n_classes), dim=1)
    one_hot = torch.nn.functional.one_hot(kept.indices, n_classes).to(probabilities)
    directions = one_hot - probabilities[:, None]
    return (directions * kept.values.sqrt()[..., None]).transpose(1, 2).contiguous()


class Columns(NamedTuple):
    r"""Columns :math:`b \otimes x` in the space of the C x P parameters, never written out.

    Attributes:
        points: x, shape (N, P).
        factors: The m vectors b of each point, shape (N, C, m).
    """

    points: Tensor
    factors: Tensor

    def gram(self, other: Columns) -> Tensor:
        """Compute the inner products with other columns, shape (N m, N' m')."""
        products = torch.einsum('ica,jcb->iajb', self.factors, other.factors)
        products *= (self.points @ other.points.T)[:, None, :, None]
        return products.reshape(self.factors[:, 0].numel(), other.factors[:, 0].numel())

    def project(self, directions: Tensor) -> Tensor:
        """Compute the inner products with K directions.

        Args:
            directions: Shape (C, P, K).

        Returns:
            Shape (N, m, K).
        """
        n_classes, width, n_directions = directions.shape
        flat = directions.transpose(0, 1).reshape(width, n_classes * n_directions)
        outputs = (self.points @ flat).reshape(len(self.points), n_classes, n_directions)
        return self.factors.transpose(1, 2) @ outputs

    def combine(self, coefficients: Tensor) -> Tensor:
        """Compute K sums of the columns.

        Args:
            coefficients: Shape (N, m, K).

        Returns:
            Shape (C, P, K).
        """
        outputs = self.factors @ coefficients
        return torch.einsum('np,nck->cpk', self.points, outputs)


class ColumnUpdate(NamedTuple):
    """What taking a point with m columns V changes in a posterior.

    Attributes:
        u: A V, shape (C, P, m).
        r: A F A V, shape (C, P, m).
        k: The inverse of I + V' A V, shape (m, m).
        m: V' A F A V, shape (m, m).
    """

    u: Tensor
    r: Tensor
    k: Tensor
    m: Tensor


class ColumnPosterior:
    r"""The posterior of all parameters of a softmax layer, and the target it is judged by.

    With the columns :math:`V_i` of each point, the precision is :math:`\Lambda = \delta I +
    \sum_{i \in L} V_i V_i^T` and the target :math:`F = \sum_t s_t V_t V_t^T`. Neither is written
    out: by Woodbury's identity :math:`A = \Lambda^{-1}` is :math:`(I - V_L (\delta I + V_L^T V_L)
    ^{-1} V_L^T) / \delta`, less what the points took that were taken since. Memory is that of the
    (L m)^2 inner products of the labeled points, and of C P m numbers for each point that is taken,
    all in float64.

    Args:
        labeled: Points x of the labeled images, shape (L, P); L may be 0.
        labeled_factors: Their factors, shape (L, C, m), see :func:`softmax_factors`.
        targets: Points whose loss is to fall, shape (T, P).
        target_factors: Their factors, shape (T, C, m).
        target_weights: Their weights s, shape (T,).
        l2: :math:`\delta`, above 0.
    """

    def __init__(
        self,
        labeled: Tensor,
        labeled_factors: Tensor,
        targets: Tensor,
        target_factors: Tensor,
        target_weights: Tensor,
        l2: float,
    ) -> None:
        weighted = target_factors.double() * target_weights.double().sqrt()[:, None, None]
        self._labeled = Columns(labeled.double(), labeled_factors.double())
        self._target = Columns(targets.double(), weighted)
        self._l2 = l2
        inner = self._labeled.gram(self._labeled)
        inner.diagonal().add_(l2)
        self._cholesky = torch.linalg.cholesky(inner)
        self._updates: list[ColumnUpdate] = []

    def copy(self) -> ColumnPosterior:
        """Return a posterior that changes by itself."""
        copied = object.__new__(ColumnPosterior)
        copied.__dict__.update(self.__dict__)
        copied._updates = list(self._updates)
        return copied

    def take(self, point: Tensor, factors: Tensor) -> list[ColumnUpdate]:
        """Add a labeled point.

        Args:
            point: Shape (P,).
            factors: Shape (C, m).

        Returns:
            What changes, as a list of one.
        """
        own = Columns(point.double()[None], factors.double()[None])
        identity = torch.eye(factors.shape[1], dtype=torch.double, device=point.device)
        u = self._times_inverse(own.combine(identity[None]))
        r = self._times_inverse(self._target.combine(self._target.project(u)))
        k = torch.linalg.inv(identity + own.project(u)[0])
        update = ColumnUpdate(u, r, k, m=own.project(r)[0])
        self.apply(update)
        return [update]

    def apply(self, update: ColumnUpdate) -> None:
        """Let A lose u k u'.

        Args:
            update: The change.
        """
        self._updates.append(update)

    def forms(self, candidates: Columns) -> tuple[Tensor, Tensor]:
        """Compute V' A V and V' A F A V of candidates, before any point is taken.

        Args:
            candidates: N points with m columns each.

        Returns:
            Two float64 tensors of shape (N, m, m).
        """
        n_candidates, _, rank = candidates.factors.shape
        to_target = self._target.gram(self._labeled)
        n_rows = max(len(self._cholesky), len(to_target), 1)
        n_at_once = max(1, GRAM_NUMBERS // (n_rows * rank))
        a_forms = candidates.points.new_empty(n_candidates, rank, rank, dtype=torch.double)
        m_forms = torch.empty_like(a_forms)
        for start in range(0, n_candidates, n_at_once):
            rows = slice(start, start + n_at_once)
            part = Columns(candidates.points[rows].double(), candidates.factors[rows].double())
            to_part = self._labeled.gram(part)
            solved = torch.cholesky_solve(to_part, self._cholesky)
            squares = part.points.square().sum(1)[:, None, None]
            own = (part.factors.transpose(1, 2) @ part.factors) * squares
            a_forms[rows] = (own - _products_of_each(to_part, solved, rank)) / self._l2
            t = (self._target.gram(part) - to_target @ solved) / self._l2
            m_forms[rows] = _products_of_each(t, t, rank)
        return a_forms, m_forms

    def _times_inverse(self, directions: Tensor) -> Tensor:
        """A times directions of shape (C, P, K)."""
        projected = self._labeled.project(directions)
        flat = projected.reshape(len(self._cholesky), directions.shape[2])
        solved = torch.cholesky_solve(flat, self._cholesky).reshape(projected.shape)
        result = (directions - self._labeled.combine(solved)) / self._l2
        for update in self._updates:
            along = torch.einsum('cpm,cpk->mk', update.u, directions)
            result -= update.u @ (update.k @ along)
        return result


class ColumnCandidates:
    r"""Candidates with several columns V each, with what their label takes off the target's loss.

    .. math:: \Delta(z) = \frac12 \mathrm{tr}\, F [\Lambda^{-1} - (\Lambda + V_z V_z^T)^{-1}]
              = \frac12 \mathrm{tr}\, (I + V_z^T A V_z)^{-1} V_z^T A F A V_z.

    Both forms, m x m for each candidate, are kept and changed when a point is taken.

    Args:
        points: Shape (N, P).
        factors: Shape (N, C, m).
        posterior: What is known of the parameters, before any point is taken.
    """

    def __init__(self, points: Tensor, factors: Tensor, posterior: ColumnPosterior) -> None:
        self.points = points
        self.weights = factors
        self._a, self._m = posterior.forms(Columns(points, factors))

    def subset(self, rows: Tensor) -> ColumnCandidates:
        """Return some of the candidates, which change by themselves.

        Args:
            rows: Their rows.
        """
        part = object.__new__(ColumnCandidates)
        part.points = self.points[rows]
        part.weights = self.weights[rows]
        part._a = self._a[rows]
        part._m = self._m[rows]
        return part

    def gains(self) -> Tensor:
        r"""Compute :math:`\Delta` of every candidate, float64 of shape (N,), at least 0."""
        identity = torch.eye(self._a.shape[1], dtype=torch.double, device=self._a.device)
        shrunk: Tensor = torch.linalg.solve(identity + self._a, self._m)
        return shrunk.diagonal(dim1=1, dim2=2).sum(1).clamp(min=0) / 2

    def products(self, updates: Sequence[ColumnUpdate]) -> Iterator[Tensor]:
        """Multiply the columns of all candidates by the directions of updates, one after the other.

        Args:
            updates: J updates.

        Yields:
            V' u and V' r, float64 of shape (2, N, m, m).
        """
        for update in updates:
            directions = torch.cat([update.u, update.r], 2)
            parts = []
            for points, factors in zip(
                torch.split(self.points, BLOCK), torch.split(self.weights, BLOCK), strict=True
            ):
                # Gains fall by orders of magnitude, and errors of float32 would not.
                parts.append(Columns(points.double(), factors.double()).project(directions))
            along_u, along_r = torch.cat(parts).chunk(2, dim=2)
            yield torch.stack([along_u, along_r])

    def apply(self, update: ColumnUpdate, products: Tensor) -> None:
        """Change the candidates as the posterior changed.

        With c = V' u and d = V' r, V' A V loses c k c', and V' A F A V loses d k c' + c k d'
        - c k m k c'.

        Args:
            update: The change.
            products: c and d, shape (2, N, m, m).
        """
        c, d = products
        c_k = c @ update.k
        across = d @ c_k.mT
        self._a -= c_k @ c.mT
        self._m -= across + across.mT - c_k @ update.m @ c_k.mT


def _products_of_each(left: Tensor, right: Tensor, rank: int) -> Tensor:
    """Of matrices of N blocks of columns each, the N products of a block with its counterpart."""
    n_blocks = left.shape[1] // rank
    left_blocks = left.reshape(len(left), n_blocks, rank).transpose(0, 1)
    right_blocks = right.reshape(len(right), n_blocks, rank).transpose(0, 1)
    return left_blocks.mT @ right_blocks
