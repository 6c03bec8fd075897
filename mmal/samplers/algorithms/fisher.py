"""Fisher selection: the points whose labels would shrink the uncertainty at a target most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 8192
"""Number of candidates that quadratic forms are computed for at one time."""


class Update(NamedTuple):
    """What taking a point changes in one block of a posterior.

    Attributes:
        block: Number of the block.
        u: A x, shape (P,).
        r: M x, shape (P,).
        c: w / (1 + w x' A x).
        m: x' M x.
    """

    block: int
    u: Tensor
    r: Tensor
    c: float
    m: float


class Posterior:
    r"""The posterior of a linear model in independent blocks, and the target it is judged by.

    Block b (a class with a sigmoid of its own, or the one block of the binary form) has a precision
    :math:`\Lambda_b = \delta I + \sum_{i \in L} w_{ib} x_i x_i^T` from the labeled points L, and a
    target :math:`F_b = \sum_t w_{tb} x_t x_t^T`. Kept are :math:`A_b = \Lambda_b^{-1}` and
    :math:`M_b = A_b F_b A_b`.

    Attributes:
        inverses: A of each block, float64 of shape (P, P).
        targets: M of each block, float64 of shape (P, P).

    Args:
        labeled: Labeled points, shape (L, P); L may be 0.
        labeled_weights: Their curvature p(1 - p) in each block, shape (L, B), at least 0.
        targets: Points whose loss is to fall, shape (T, P).
        target_weights: Their weight, shape (T, B).
        l2: :math:`\delta`, above 0.
    """

    def __init__(
        self,
        labeled: Tensor,
        labeled_weights: Tensor,
        targets: Tensor,
        target_weights: Tensor,
        l2: float,
    ) -> None:
        self.inverses: list[Tensor] = []
        self.targets: list[Tensor] = []
        for block in range(target_weights.shape[1]):
            precision = _second_moment(labeled, labeled_weights[:, block])
            precision.diagonal().add_(l2)
            inverse = torch.cholesky_inverse(torch.linalg.cholesky(precision))
            target = inverse @ _second_moment(targets, target_weights[:, block]) @ inverse
            self.inverses.append(inverse)
            self.targets.append(target)

    def copy(self) -> Posterior:
        """Return a posterior that changes by itself."""
        copied = object.__new__(Posterior)
        copied.inverses = [inverse.clone() for inverse in self.inverses]
        copied.targets = [target.clone() for target in self.targets]
        return copied

    def take(self, point: Tensor, weights: Tensor) -> list[Update]:
        """Add a labeled point.

        Args:
            point: Shape (P,).
            weights: Its curvature in each block, shape (B,).

        Returns:
            What changes in each block in which it has any curvature.
        """
        exact = point.double()
        updates = []
        for block, weight in enumerate(weights.tolist()):
            if weight <= 0:
                continue
            u = self.inverses[block] @ exact
            r = self.targets[block] @ exact
            c = weight / (1 + weight * float(exact @ u))
            update = Update(block, u, r, c, m=float(exact @ r))
            self.apply(update)
            updates.append(update)
        return updates

    def apply(self, update: Update) -> None:
        """Change one block: A loses c u u', and M becomes (A - c u u') F (A - c u u').

        Args:
            update: The change.
        """
        block, u, r, c, m = update
        change = c**2 * m / 2 * u - c * r
        self.inverses[block].addr_(u, u, alpha=-c)
        self.targets[block].addr_(u, change).addr_(change, u)


class Candidates:
    r"""Candidates with what their label is expected to take off the target's loss.

    By shrinking the uncertainty about the parameters, labeling z is expected to lower it by

    .. math:: \Delta(z) = \frac12 \sum_b \mathrm{tr}\, F_b
              [\Lambda_b^{-1} - (\Lambda_b + w_{zb} x_z x_z^T)^{-1}]
              = \frac12 \sum_b \frac{w_{zb}\, x_z^T M_b x_z}{1 + w_{zb}\, x_z^T A_b x_z}.

    This is the objective of BAIT (Ash et al., NeurIPS 2021); no label of a candidate is needed. It
    is a *sum* over the target: for a mean, the target's weights are divided by their number.

    Args:
        points: Shape (N, P). A column of ones stands for the bias.
        weights: Their curvature p(1 - p) in each block, shape (N, B), at least 0.
        posterior: What is known of the parameters.
    """

    def __init__(self, points: Tensor, weights: Tensor, posterior: Posterior) -> None:
        self.points = points
        self.weights = weights.double()
        self._a = torch.empty_like(self.weights)
        self._m = torch.empty_like(self.weights)
        for block in range(weights.shape[1]):
            self._a[:, block] = _quadratic_forms(points, posterior.inverses[block])
            self._m[:, block] = _quadratic_forms(points, posterior.targets[block])

    def subset(self, rows: Tensor) -> Candidates:
        """Return some of the candidates, which change by themselves.

        Args:
            rows: Their rows.
        """
        part = object.__new__(Candidates)
        part.points = self.points[rows]
        part.weights = self.weights[rows]
        part._a = self._a[rows]
        part._m = self._m[rows]
        return part

    def gains(self) -> Tensor:
        r"""Compute :math:`\Delta` of every candidate.

        Returns:
            Float64 of shape (N,), at least 0.
        """
        shrunk = self.weights * self._m.clamp(min=0)
        return (shrunk / (1 + self.weights * self._a.clamp(min=0))).sum(1) / 2

    def products(self, updates: Sequence[Update]) -> Tensor:
        """Multiply all candidates by the directions of updates, in one pass over them.

        Args:
            updates: J updates.

        Returns:
            x'u and x'r, shape (J, 2, N).
        """
        if not updates:
            return self.points.new_empty(0, 2, len(self.points))
        directions = []
        for update in updates:
            directions += [update.u, update.r]
        stacked = torch.stack(directions).to(self.points)
        return (stacked @ self.points.T).reshape(len(updates), 2, -1)

    def apply(self, update: Update, products: Tensor) -> None:
        """Change the candidates as the posterior changed.

        x' A x loses c (x'u)^2, and x' M x loses 2c (x'u)(x'r) - c^2 m (x'u)^2.

        Args:
            update: The change.
            products: x'u and x'r, shape (2, N).
        """
        along_u, along_r = products.double()
        squared = along_u.square()
        self._a[:, update.block] -= update.c * squared
        change = 2 * update.c * along_u * along_r - update.c**2 * update.m * squared
        self._m[:, update.block] -= change


def _second_moment(points: Tensor, weights: Tensor) -> Tensor:
    """The weighted sum of outer products, float64 of shape (P, P)."""
    total = torch.zeros(points.shape[1], points.shape[1], dtype=torch.double, device=points.device)
    for part, part_weights in zip(
        torch.split(points, BLOCK), torch.split(weights, BLOCK), strict=True
    ):
        exact = part.double()
        total += exact.T @ (exact * part_weights.double()[:, None])
    return total


def _quadratic_forms(points: Tensor, matrix: Tensor) -> Tensor:
    """Quadratic form x' Q x of each point, float64 of shape (N,), some points at a time."""
    in_precision = matrix.to(points)
    forms = []
    for part in torch.split(points, BLOCK):
        forms.append(((part @ in_precision) * part).sum(1).double())
    return torch.cat(forms)
