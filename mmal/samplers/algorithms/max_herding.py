"""MaxHerding: choose the points that cover a set best, in memory that does not grow as N x N."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BLOCK = 2048
"""Number of candidates whose kernel with all targets exists at one time in a pass over all."""
LAZY_BLOCK = 64
"""Number of candidates whose gain is computed anew at one time."""
COPY_SQUARED_DISTANCE = 1e-5
"""Squared distance of unit vectors up to which they are one: float32 tells them no better."""


def gaussian_kernel(a: Tensor, b: Tensor, radius: float) -> Tensor:
    """Compute exp(-(distance / radius)^2) of every pair of vectors.

    Args:
        a: Shape (n, D).
        b: Shape (m, D).
        radius: Distance at which the kernel is 1/e.

    Returns:
        Shape (n, m), 0 to 1; exactly 1 for copies.
    """
    squared = _squared_distance(a, b)
    squared = squared.masked_fill(squared < COPY_SQUARED_DISTANCE, 0)
    return torch.exp(-squared / radius**2)


def _squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """Squared distance of every pair of vectors, shape (n, m), by one product of matrices."""
    return a.square().sum(1)[:, None] + b.square().sum(1) - 2 * (a @ b.T)


def least_distance(points: Tensor) -> float | None:
    """Find the least distance between two of some vectors that are no copies.

    It takes O(N^2 D) time and O(BLOCK N) memory.

    Args:
        points: Unit vectors, shape (N, D).

    Returns:
        The distance; None if there are no two that differ.
    """
    least = math.inf
    for block in torch.split(points, BLOCK):
        if not len(block):
            continue
        squared = _squared_distance(block, points)
        is_copy = squared < COPY_SQUARED_DISTANCE
        least = min(least, float(squared.masked_fill(is_copy, torch.inf).min()))
    return math.sqrt(least) if math.isfinite(least) else None


def max_herding(
    points: Tensor,
    targets: Tensor,
    centers: Tensor,
    k: int,
    radius: float = 1.0,
    weights: Tensor | None = None,
) -> tuple[list[int], Tensor]:
    r"""Choose k points greedily, each the one that raises the coverage of the targets most.

    This is Algorithm 1 of Bae et al., "Generalized Coverage for More Robust Low-Budget Active
    Learning" (ECCV 2024):

    .. math:: u = \arg\max_i \frac{1}{T} \sum_x U(x) \max(0, k(x, x_i) - \max_{l \in L} k(x, x_l)),
              \quad L \leftarrow L \cup \{u\}

    with U = 1. Other weights U(x) make it Uncertainty Herding (Bae et al., ICLR 2025). Coverage is
    submodular: a gain never rises as L grows. So only those candidates are computed anew whose last
    known gain reaches the best (lazy greedy, Minoux 1978), which changes no choice. Of several
    points with the largest gain, that of the lowest row is taken.

    It takes two passes of O(N T D) time, and O(T D) for each candidate that is computed anew;
    O(BLOCK T) memory beside the arguments and the result.

    Args:
        points: Candidates, shape (N, D), usually unit vectors.
        targets: What is to be covered, shape (T, D), T at least 1.
        centers: Points that are labeled already, shape (M, D); M may be 0.
        k: Number of points to choose; all of them if there are fewer.
        radius: Distance at which the kernel is 1/e. Defaults to 1, as the authors have it for unit
            vectors.
        weights: U(x) of each target, at least 0, shape (T,). Defaults to None: 1.

    Returns:
        Rows in the order they were chosen, and the gain in mean coverage of every point, 0 to 1,
        shape (N,). A chosen point has the gain it had when it was chosen, the others have that at
        the end. Gains never increase along the order.
    """
    if weights is None:
        weights = targets.new_ones(len(targets))
    covered = _coverage(targets, centers, radius)
    bounds = _gains(points, targets, covered, radius, weights)
    gains = torch.empty_like(bounds)
    free = torch.ones(len(points), dtype=torch.bool, device=points.device)
    chosen: list[int] = []
    for _ in range(min(k, len(points))):
        row = _best_row(points, targets, covered, radius, weights, bounds)
        gains[row] = bounds[row]
        bounds[row] = -torch.inf
        free[row] = False
        chosen.append(row)
        kernel = gaussian_kernel(points[row : row + 1], targets, radius)[0]
        covered = torch.maximum(covered, kernel)
    gains[free] = _gains(points[free], targets, covered, radius, weights)
    return chosen, gains


def _coverage(targets: Tensor, centers: Tensor, radius: float) -> Tensor:
    """Largest kernel of each target with a center, shape (T,); 0 where there is no center."""
    covered = targets.new_zeros(len(targets))
    for block in torch.split(centers, BLOCK):
        if len(block):
            covered = torch.maximum(covered, gaussian_kernel(block, targets, radius).amax(0))
    return covered


def _gains(
    points: Tensor, targets: Tensor, covered: Tensor, radius: float, weights: Tensor
) -> Tensor:
    """What each point would add to the mean coverage, shape (N,)."""
    gains = [points.new_empty(0)]
    for block in torch.split(points, BLOCK):
        added = (gaussian_kernel(block, targets, radius) - covered).clamp(min=0)
        gains.append(added @ weights / len(targets))
    return torch.cat(gains)


def _best_row(
    points: Tensor,
    targets: Tensor,
    covered: Tensor,
    radius: float,
    weights: Tensor,
    bounds: Tensor,
) -> int:
    """Row of the largest gain. ``bounds`` are lowered in place where gains are computed anew."""
    is_fresh = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    while True:
        best = float(bounds.max())
        is_best = bounds == best
        if best <= 0 or bool(is_fresh[is_best].all()):
            return int(is_best.nonzero()[0])
        stale_bounds = bounds.masked_fill(is_fresh, -torch.inf)
        rows = stale_bounds.topk(min(LAZY_BLOCK, len(points))).indices
        rows = rows[~is_fresh[rows] & bounds[rows].isfinite()]
        bounds[rows] = _gains(points[rows], targets, covered, radius, weights)
        is_fresh[rows] = True
