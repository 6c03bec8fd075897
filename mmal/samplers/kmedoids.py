from __future__ import annotations

import torch
from torch import Tensor


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
    medoids = [first]
    while len(medoids) < k:
        nearest = distance[:, medoids].amin(1)
        nearest[medoids] = -1
        medoids.append(int(nearest.argmax()))
    for _ in range(max_iter):
        cluster = distance[:, medoids].argmin(1)
        cluster[medoids] = torch.arange(k)  # where two are the same, each keeps its own
        members = [(cluster == i).nonzero()[:, 0] for i in range(k)]
        renewed = [int(m[distance[m][:, m].sum(1).argmin()]) for m in members]
        if renewed == medoids:
            break
        medoids = renewed
    return medoids
