"""K-center greedy (Sener & Savarese, ICLR 2018, Algorithm 1), in memory that grows with N, not with N x N."""

from __future__ import annotations

import torch
from torch import Tensor

from mmal.distributed.group import Group

BLOCK = 4096
"""Rows and columns of the distance matrix that exist at one time."""


def nearest_distance(points: Tensor, centers: Tensor) -> Tensor:
    """Euclidean distance of every point, shape (N, D), to the nearest of the centers, (M, D); infinite if M is 0."""
    nearest = points.new_full((len(points),), torch.inf)
    for known in centers.split(BLOCK) if len(centers) else ():
        for start in range(0, len(points), BLOCK):
            part = slice(start, start + BLOCK)
            nearest[part] = torch.minimum(nearest[part], torch.cdist(points[part], known).amin(1))
    return nearest


def kcenter_greedy(
    points: Tensor, centers: Tensor, k: int, first: int = 0, group: Group | None = None
) -> tuple[list[int], Tensor]:
    """Choose k points, each the farthest from all centers so far; of several as far, the one of the lowest row.

    Args:
        points: Candidates, shape (N, D); of a process in a group, its share: rows rank, rank + world, ... of all.
        centers: Points that are covered already, shape (M, D); M may be 0.
        k: How many to choose; all of them if there are fewer.
        first: Row to begin with if there is no center.
        group: Of the processes that share the points. Defaults to None: this one has them all.

    Returns:
        Rows in the order they were chosen, and for every point of all processes its distance to the nearest center,
        shape (N,): for a chosen one when it was chosen, for the others at the end. They never increase along the order.
        Where there was no center, the first has the distance of the second.
    """
    group = group or Group(alone=True)
    nearest = nearest_distance(points, centers)
    distance, free, chosen = (
        torch.empty_like(nearest),
        torch.ones(len(points), dtype=torch.bool),
        [],
    )
    for _ in range(min(k, sum(group.all_gather(len(points))))):
        at = (
            _farthest(nearest.masked_fill(~free, -torch.inf), group)
            if chosen or len(centers)
            else first
        )
        chosen.append(at)
        row, mine = at // group.world, at % group.world == group.rank
        if mine:
            free[row], distance[row] = False, nearest[row]
        center = group.all_reduce(
            points[row].clone() if mine else points.new_zeros(points.shape[1])
        )
        # exact, not by |a|^2 - 2ab + |b|^2: copies of a chosen point are at distance 0
        to_it = torch.cdist(points, center[None], compute_mode='donot_use_mm_for_euclid_dist')[:, 0]
        nearest = torch.minimum(nearest, to_it)
    distance[free] = nearest[free]
    distance = _interleaved(group.all_gather(distance))
    if chosen and not len(centers):
        distance[chosen[0]] = (
            distance[chosen[1]]
            if len(chosen) > 1
            else _interleaved(group.all_gather(nearest)).max()
        )
    return chosen, distance


def _farthest(nearest: Tensor, group: Group) -> int:
    """Row, among those of all processes, of the largest distance."""
    best = (
        (float(nearest.max()), -(int(nearest.argmax()) * group.world + group.rank))
        if len(nearest)
        else (-1.0, 0)
    )
    return -max(group.all_gather(best))[1]


def _interleaved(parts: list[Tensor]) -> Tensor:
    """Values by row, from those of each process's share."""
    whole = torch.empty(sum(map(len, parts)), dtype=parts[0].dtype)
    for rank, part in enumerate(parts):
        whole[rank :: len(parts)] = part
    return whole
