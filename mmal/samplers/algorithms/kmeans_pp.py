from __future__ import annotations

import torch
from torch import Tensor


def kmeans_pp(points: Tensor, k: int, seed: int) -> tuple[list[int], Tensor]:
    """Seeding of k-means++ (Arthur & Vassilvitskii, 2007), beginning with the longest vector as BADGE does.

    Args:
        points: Shape (N, D).
        k: How many to draw; all if there are fewer.
        seed: Of the draws.

    Returns:
        Rows in the order drawn, and every point's squared distance to the nearest of them, shape (N,).
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = [int(points.norm(dim=1).argmax())]
    nearest = points.new_full((len(points),), torch.inf)
    free = torch.ones(len(points), dtype=torch.bool)
    while True:
        at = chosen[-1]
        free[at] = False
        to_it = torch.cdist(
            points, points[at : at + 1], compute_mode='donot_use_mm_for_euclid_dist'
        )[:, 0]
        nearest = torch.minimum(nearest, to_it.square())
        if len(chosen) >= min(k, len(points)):
            return chosen, nearest
        weight = nearest.double() * free
        if not bool(weight.any()):  # copies of what was drawn are all that is left
            weight = free.double()
        chosen.append(int(torch.multinomial(weight, 1, generator=generator)))
