"""Seeding of k-means++: points drawn by their squared distance to those drawn before."""

from __future__ import annotations

import torch
from torch import Tensor


def kmeans_pp(left: Tensor, right: Tensor, k: int, seed: int) -> tuple[list[int], Tensor]:
    r"""Draw k points by the seeding of k-means++ (Arthur & Vassilvitskii, SODA 2007).

    A point is the outer product of two vectors, :math:`g_i = a_i b_i^T`, which is never formed:
    gradients of a last linear layer are such products. An ordinary vector is one with
    :math:`a_i = 1`.

    The first point is the longest, as in BADGE (Ash et al., ICLR 2020). Each further one is drawn
    with a probability proportional to its squared distance to the nearest drawn one:

    .. math:: P(i) \propto \min_{j \in S} \|g_i - g_j\|^2

    Where only copies of drawn points are left, these are drawn uniformly. It takes O(N k (A + B))
    time and O(N (A + B)) memory.

    Args:
        left: a of each point, shape (N, A), N at least 1, on the device that does the work. The
            draws are made on the CPU: sums of probabilities have no fixed order on a GPU.
        right: b of each point, shape (N, B), on the same device.
        k: Number of points to draw; all if there are fewer. The first one is always drawn.
        seed: Seed of the draws.

    Returns:
        Rows in the order drawn, and every point's squared distance to the nearest of them, shape
        (N,), on the CPU.
    """
    generator = torch.Generator().manual_seed(seed)
    free = torch.ones(len(left), dtype=torch.bool)
    right_squared = right.square().sum(1)
    row = int((left.square().sum(1) * right_squared).argmax())
    chosen = [row]
    free[row] = False
    nearest = _squared_distance(left, right, right_squared, row)
    while len(chosen) < min(k, len(left)):
        weight = nearest.cpu().double() * free
        if not bool(weight.any()):
            weight = free.double()
        draw = torch.multinomial(weight, 1, generator=generator)
        row = int(draw)
        chosen.append(row)
        free[row] = False
        squared_distance = _squared_distance(left, right, right_squared, row)
        nearest = torch.minimum(nearest, squared_distance)
    return chosen, nearest.cpu()


def _squared_distance(left: Tensor, right: Tensor, right_squared: Tensor, row: int) -> Tensor:
    r"""Squared distance of each point to that of a row, shape (N,); exactly 0 for copies of it.

    With :math:`g_i - g_j = (a_i - a_j) b_i^T + a_j (b_i - b_j)^T` every term has a difference in
    it, where :math:`|g_i|^2 - 2 g_i \cdot g_j + |g_j|^2` would lose the digits of small distances.
    """
    left_center = left[row]
    left_change = left - left_center
    right_change = right - right[row]
    by_left = left_change.square().sum(1) * right_squared
    by_right = left_center.square().sum() * right_change.square().sum(1)
    cross = (left_change @ left_center) * (right * right_change).sum(1)
    return (by_left + by_right + 2 * cross).clamp(min=0)
