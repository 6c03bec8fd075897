"""The nearest of many images to each of some, in features, while the many stream by."""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
from torch import Tensor

from mmal.distributed.group import Group

Nearest: TypeAlias = tuple[float, int]
"""Distance and number of the nearest vector."""


class NearestSearch:
    """Remembers, for each of k points, the nearest vector it was compared with.

    Args:
        points: The points, shape (k, D).
    """

    def __init__(self, points: Tensor) -> None:
        self._points = points
        self._distance = torch.full((len(points),), torch.inf)
        self._number = torch.zeros(len(points), dtype=torch.long)

    def update(self, vectors: Tensor, numbers: list[int]) -> None:
        """Compare the points with vectors. One that is not finite is passed over.

        Args:
            vectors: Shape (n, D), n at least 1.
            numbers: Numbers that the vectors are known by.
        """
        # Not by |a|^2 - 2ab + |b|^2, so that a copy is at distance 0.
        distance = torch.cdist(self._points, vectors, compute_mode='donot_use_mm_for_euclid_dist')
        finite_distance = torch.where(distance.isfinite(), distance, torch.inf)
        least, column = finite_distance.min(1)
        number = torch.tensor(numbers)[column]
        is_closer = least < self._distance
        self._distance = torch.where(is_closer, least, self._distance)
        self._number = torch.where(is_closer, number, self._number)

    def result(self, group: Group) -> list[Nearest | None]:
        """Find the nearest vector of all that the processes compared with.

        Args:
            group: The processes, which have the same points. All of them call this method.

        Returns:
            For each point, Euclidean distance and number of its nearest vector, of the lowest
            number where several are as near; None if there is none.
        """
        distances = self._distance.tolist()
        numbers = self._number.tolist()
        own_nearest = list(zip(distances, numbers, strict=True))
        nearest_by_rank = group.all_gather(own_nearest)
        nearest: list[Nearest | None] = []
        for candidates in zip(*nearest_by_rank, strict=True):
            best = min(candidates)
            if math.isfinite(best[0]):
                nearest.append(best)
            else:
                nearest.append(None)
        return nearest
