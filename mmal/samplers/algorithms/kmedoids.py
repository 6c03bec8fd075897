from __future__ import annotations

import torch
from torch import Tensor

CELLS = 2**25
"""Numbers of a part of the matrix that are copied at one time."""


def kmedoids(distance: Tensor, k: int, first: int = 0, max_iter: int = 100) -> list[int]:
    """K-medoids from a k-center greedy start: k rows such that every row is near one of them.

    Args:
        distance: Symmetric, shape (N, N).
        k: How many; all rows if there are fewer.
        first: Row the start begins with.
        max_iter: Most iterations; it stops as soon as nothing changes. Defaults to 100.
    """
    if k >= len(distance):
        return list(range(len(distance)))
    medoids, nearest = [first], distance[first].clone()
    while len(medoids) < k:
        nearest[medoids[-1]] = -torch.inf
        medoids.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, distance[medoids[-1]])
    for _ in range(max_iter):
        cluster = torch.cat(
            [part[:, medoids].argmin(1) for part in distance.split(max(CELLS // k, 1))]
        )
        cluster[medoids] = torch.arange(k)  # where two are the same, each keeps its own
        members = [(cluster == i).nonzero()[:, 0] for i in range(k)]
        renewed = [int(m[_sums(distance, m).argmin()]) for m in members]
        if renewed == medoids:
            break
        medoids = renewed
    return medoids


def _sums(distance: Tensor, members: Tensor) -> Tensor:
    """Of each member, the sum of its distances to all members."""
    parts = members.split(max(CELLS // len(members), 1))
    return torch.cat([distance[part[:, None], members].sum(1) for part in parts])
