"""Seeding of k-means++: points drawn by their squared distance to those drawn before."""

from __future__ import annotations

import torch
from torch import Tensor


def kmeans_pp(points: Tensor, k: int, seed: int) -> tuple[list[int], Tensor]:
    r"""Draw k points by the seeding of k-means++ (Arthur & Vassilvitskii, SODA 2007).

    The first point is the longest vector, as in BADGE (Ash et al., ICLR 2020). Each further one is
    drawn with a probability proportional to its squared distance to the nearest drawn one:

    .. math:: P(i) \propto \min_{j \in S} \|x_i - x_j\|^2

    Where only copies of drawn points are left, these are drawn uniformly. It takes O(N k D) time
    and O(N) memory.

    Args:
        points: Shape (N, D), N at least 1, on the device that does the work. The draws are made on
            the CPU: sums of probabilities have no fixed order on a GPU.
        k: Number of points to draw; all if there are fewer. The first one is always drawn.
        seed: Seed of the draws.

    Returns:
        Rows in the order drawn, and every point's squared distance to the nearest of them, shape
        (N,), on the CPU.
    """
    generator = torch.Generator().manual_seed(seed)
    free = torch.ones(len(points), dtype=torch.bool)
    row = int(points.norm(dim=1).argmax())
    chosen = [row]
    free[row] = False
    nearest = _squared_distance(points, row)
    while len(chosen) < min(k, len(points)):
        weight = nearest.cpu().double() * free
        if not bool(weight.any()):
            weight = free.double()
        draw = torch.multinomial(weight, 1, generator=generator)
        row = int(draw)
        chosen.append(row)
        free[row] = False
        squared_distance = _squared_distance(points, row)
        nearest = torch.minimum(nearest, squared_distance)
    return chosen, nearest.cpu()


def _squared_distance(points: Tensor, row: int) -> Tensor:
    """Squared distance of each point to that of a row, shape (N,); exactly 0 for copies of it."""
    center = points[row : row + 1]
    distance = torch.cdist(points, center, compute_mode='donot_use_mm_for_euclid_dist')
    return distance[:, 0].square()
