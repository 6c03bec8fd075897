"""K-center greedy (Sener & Savarese, ICLR 2018, Algorithm 1), in memory that grows with N, not with N x N."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 4096
"""Rows and columns of the distance matrix that exist at one time."""


def nearest_distance(points: Tensor, centers: Tensor) -> Tensor:
    """Euclidean distance of every point, shape (N, D), to the nearest of the centers, (M, D); infinite if M is 0."""
    nearest = points.new_full((len(points), ), torch.inf)
    for known in centers.split(BLOCK) if len(centers) else ():
        for start in range(0, len(points), BLOCK):
            part = slice(start, start + BLOCK)
            nearest[part] = torch.minimum(nearest[part], torch.cdist(points[part], known).amin(1))
    return nearest


def kcenter_greedy(points: Tensor, centers: Tensor, k: int, first: int = 0) -> tuple[list[int], Tensor]:
    """Choose k points, each the farthest from all centers so far.

    Args:
        points: Candidates, shape (N, D).
        centers: Points that are covered already, shape (M, D); M may be 0.
        k: How many to choose; all of them if there are fewer.
        first: Row to begin with if there is no center.

    Returns:
        Rows in the order they were chosen, and for every point its distance to the nearest center, shape (N,): for a
        chosen one when it was chosen, for the others at the end. They never increase along the order. Where there was
        no center, the first has the distance of the second.
    """
    nearest = nearest_distance(points, centers)
    distance, free, chosen = torch.empty_like(nearest), torch.ones(len(points), dtype=torch.bool), []
    for _ in range(min(k, len(points))):
        at = int(nearest.masked_fill(~free, -torch.inf).argmax()) if chosen or len(centers) else first
        chosen.append(at)
        free[at], distance[at] = False, nearest[at]
        # exact, not by |a|^2 - 2ab + |b|^2: copies of a chosen point are at distance 0
        to_it = torch.cdist(points, points[at:at + 1], compute_mode='donot_use_mm_for_euclid_dist')[:, 0]
        nearest = torch.minimum(nearest, to_it)
    distance[free] = nearest[free]
    if chosen and not len(centers):
        distance[chosen[0]] = distance[chosen[1]] if len(chosen) > 1 else nearest.max()
    return chosen, distance
