"""The nearest of many images to each of some, in features, while the many stream by."""

from __future__ import annotations

import torch
from torch import Tensor

from mmal.distributed.group import Group


class Nearest:
    """Remembers, for each point, the nearest vector it was shown.

    Args:
        points: Shape (k, D).
    """

    def __init__(self, points: Tensor) -> None:
        self._points = points
        self._distance, self._place = (
            torch.full((len(points),), torch.inf),
            torch.zeros(len(points), dtype=torch.long),
        )

    def show(self, vectors: Tensor, places: list[int]) -> None:
        """Compare with vectors, shape (n, D), and the numbers they are known by; one that is not finite is passed."""
        # exact, not by |a|^2 - 2ab + |b|^2: a copy is at distance 0
        distance = torch.cdist(self._points, vectors, compute_mode='donot_use_mm_for_euclid_dist')
        least, at = torch.where(distance.isfinite(), distance, torch.inf).min(1)
        closer = least < self._distance
        self._distance = torch.where(closer, least, self._distance)
        self._place = torch.where(closer, torch.tensor(places)[at], self._place)

    def found(self, group: Group) -> list[tuple[float, int] | None]:
        """Distance and number of each point's nearest, of what all processes were shown; None if there is none."""
        parts = group.all_gather((self._distance, self._place))
        best = [
            min(zip(distances, places, strict=True))
            for distances, places in zip(
                zip(*(d.tolist() for d, _ in parts), strict=True),
                zip(*(p.tolist() for _, p in parts), strict=True),
                strict=True,
            )
        ]
        return [None if pair[0] == float('inf') else pair for pair in best]
