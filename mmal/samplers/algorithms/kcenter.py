"""K-center greedy, in memory that grows with N, not with N x N."""

from __future__ import annotations

import torch
from torch import Tensor

from mmal.distributed.group import Group

BLOCK = 4096
"""Number of rows and of columns of the distance matrix that exist at one time."""


def nearest_distance(points: Tensor, centers: Tensor) -> Tensor:
    """Compute the Euclidean distance of every point to the nearest of the centers.

    It takes O(N M D) time and O(BLOCK^2) memory beside the result.

    Args:
        points: Shape (N, D).
        centers: Shape (M, D); M may be 0.

    Returns:
        Shape (N,); infinite where M is 0.
    """
    nearest = points.new_full((len(points),), torch.inf)
    if not len(centers):
        return nearest
    for first_center in range(0, len(centers), BLOCK):
        some_centers = centers[first_center : first_center + BLOCK]
        for start in range(0, len(points), BLOCK):
            rows = slice(start, start + BLOCK)
            distance = torch.cdist(points[rows], some_centers)
            nearest[rows] = torch.minimum(nearest[rows], distance.amin(1))
    return nearest


def kcenter_greedy(
    points: Tensor, centers: Tensor, k: int, first: int = 0, group: Group | None = None
) -> tuple[list[int], Tensor]:
    r"""Choose k points, each the farthest from all centers so far.

    This is Algorithm 1 of Sener & Savarese (ICLR 2018):

    .. math:: u = \arg\max_i \min_{j \in S} \|x_i - x_j\|, \quad S \leftarrow S \cup \{u\}

    Of several points as far, the one of the lowest row is taken. It takes O(N (M + k) D / world)
    time and O(N D / world + BLOCK^2) memory.

    Args:
        points: Candidates, shape (N, D), on the device that does the work. For a process in a
            group, its share of them: rows rank, rank + world, ... of all.
        centers: Points that are covered already, shape (M, D); M may be 0.
        k: Number of points to choose; all of them if there are fewer.
        first: Row to begin with if there is no center. Defaults to 0.
        group: Processes that share the points. Defaults to None: this one has them all.

    Returns:
        Rows in the order they were chosen, and for every point of all processes its distance to the
        nearest center, shape (N,), on the CPU. A chosen point has the distance it had when it was
        chosen, the others have that at the end. Distances never increase along the order. Where
        there was no center, the first point has the distance of the second.
    """
    if group is None:
        group = Group(alone=True)
    nearest = nearest_distance(points, centers)
    distance = torch.empty_like(nearest)
    free = torch.ones(len(points), dtype=torch.bool, device=points.device)
    chosen: list[int] = []
    n_points = sum(group.all_gather(len(points)))
    for _ in range(min(k, n_points)):
        if chosen or len(centers):
            candidates = nearest.masked_fill(~free, -torch.inf)
            farthest = _farthest(candidates, group)
        else:
            farthest = first
        chosen.append(farthest)
        row, owner = divmod(farthest, group.world)
        if owner == group.rank:
            free[row] = False
            distance[row] = nearest[row]
            center = points[row].clone()
        else:
            center = points.new_zeros(points.shape[1])
        # The other processes contribute zeros: the sum is the point itself.
        center = group.all_reduce(center)
        distance_to_center = _exact_distance(points, center)
        nearest = torch.minimum(nearest, distance_to_center)
    distance[free] = nearest[free]
    distance = _interleaved(group.all_gather(distance.cpu()))
    if chosen and not len(centers):
        if len(chosen) > 1:
            distance[chosen[0]] = distance[chosen[1]]
        else:
            all_nearest = _interleaved(group.all_gather(nearest.cpu()))
            distance[chosen[0]] = all_nearest.max()
    return chosen, distance


def _exact_distance(points: Tensor, center: Tensor) -> Tensor:
    """Distance of each point to one center, shape (N,).

    Not by |a|^2 - 2ab + |b|^2, so that copies of the center are at distance 0.
    """
    distance = torch.cdist(points, center[None], compute_mode='donot_use_mm_for_euclid_dist')
    return distance[:, 0]


def _farthest(nearest: Tensor, group: Group) -> int:
    """Row, among those of all processes, of the largest distance."""
    own_best = (-1.0, 0)
    if len(nearest):
        own_row = int(nearest.argmax())
        row = own_row * group.world + group.rank
        # The row is negated, so that of equal distances the lowest row is the maximum.
        own_best = (float(nearest.max()), -row)
    _, negated_row = max(group.all_gather(own_best))
    return -int(negated_row)


def _interleaved(parts: list[Tensor]) -> Tensor:
    """Values by row, from those of each process's share."""
    world = len(parts)
    n_points = sum(len(part) for part in parts)
    whole = torch.empty(n_points, dtype=parts[0].dtype)
    for rank, part in enumerate(parts):
        whole[rank::world] = part
    return whole
