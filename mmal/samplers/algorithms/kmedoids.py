"""K-medoids by alternation: representatives of clusters, given all distances."""

from __future__ import annotations

import torch
from torch import Tensor

CELLS = 2**25
"""Number of values of the matrix that are copied at one time."""


def kmedoids(distance: Tensor, k: int, first: int = 0, max_iter: int = 100) -> list[int]:
    r"""Choose k rows such that every row is near one of them.

    From a k-center greedy start two steps alternate, as in Lloyd's k-means, until nothing changes:
    every row joins its nearest medoid, and every cluster C takes a new one,

    .. math:: m = \arg\min_{i \in C} \sum_{j \in C} d_{ij}

    This alternating kind (Park & Jun, 2009) finds poorer optima than PAM and its fast successors,
    which also exchange medoids between clusters. It is used because PPAL's authors use it (Yang et
    al., CVPR 2024, section 3.3): the sampler is to choose what theirs chooses.

    An iteration takes O(N k) time for the assignment, and the sum of the squared cluster sizes, at
    most O(N^2), for the new medoids. It takes O(N + CELLS) memory beside the matrix.

    Args:
        distance: Symmetric matrix d, shape (N, N), on the device that does the work.
        k: Number of rows to choose; all of them if there are fewer.
        first: Row that the start begins with. Defaults to 0.
        max_iter: Largest number of iterations. Defaults to 100.

    Returns:
        The medoids, one row per cluster.
    """
    if k >= len(distance):
        return list(range(len(distance)))
    medoids = _kcenter_start(distance, k, first)
    for _ in range(max_iter):
        cluster = _nearest_medoid(distance, medoids)
        new_medoids = []
        for i in range(k):
            members = (cluster == i).nonzero()[:, 0]
            distance_sums = _distance_sums(distance, members)
            middle = members[distance_sums.argmin()]
            new_medoids.append(int(middle))
        if new_medoids == medoids:
            break
        medoids = new_medoids
    return medoids


def _kcenter_start(distance: Tensor, k: int, first: int) -> list[int]:
    """Rows to start from, each the farthest from those before it."""
    medoids = [first]
    nearest = distance[first].clone()
    medoid = first
    while len(medoids) < k:
        nearest[medoid] = -torch.inf
        medoid = int(nearest.argmax())
        medoids.append(medoid)
        nearest = torch.minimum(nearest, distance[medoid])
    return medoids


def _nearest_medoid(distance: Tensor, medoids: list[int]) -> Tensor:
    """Place, among the medoids, of the nearest one to each row, shape (N,)."""
    k = len(medoids)
    rows_at_once = max(CELLS // k, 1)
    parts = []
    for start in range(0, len(distance), rows_at_once):
        rows = distance[start : start + rows_at_once]
        to_medoids = rows[:, medoids]
        parts.append(to_medoids.argmin(1))
    cluster = torch.cat(parts)
    # Where two medoids are copies of each other, each keeps its own cluster.
    cluster[medoids] = torch.arange(k, device=cluster.device)
    return cluster


def _distance_sums(distance: Tensor, members: Tensor) -> Tensor:
    """For each member of a cluster, the sum of its distances to all members."""
    rows_at_once = max(CELLS // len(members), 1)
    sums = []
    for start in range(0, len(members), rows_at_once):
        rows = members[start : start + rows_at_once]
        to_members = distance[rows[:, None], members]
        sums.append(to_members.sum(1))
    return torch.cat(sums)
