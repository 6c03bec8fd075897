"""A batch-aware choice: of images that resemble each other, only the best one is taken."""

from __future__ import annotations

import torch
from torch import Tensor

from mmal.distributed.rank_zero import run_on_rank_zero

from .base import ImageIds, Query
from .features import extract_features, stack_finite

BUDGETS_PER_STEP = 5
"""Number of images whose features are made in one step, in budgets."""

COPY_TOLERANCE = 1e-5
"""Distance of two feature vectors, relative to their length, up to which images are copies."""


def select_diverse(
    query: Query,
    ranking: ImageIds,
    threshold: float,
    layers: list[str] | None = None,
    batch_size: int | None = None,
) -> ImageIds:
    """Go down a ranking and leave out what resembles an image taken before it.

    It ends when the budget is reached. Features are made for a few budgets of images at a time, and
    for more only if they are needed.

    Args:
        query: The query whose model, images and budget are used.
        ranking: Ids, best first.
        threshold: Largest cosine of two images' features, -1 to 1. The mean feature of the first
            step's images is subtracted before.
        layers: Names of the modules whose outputs are the features, see
            :func:`~mmal.samplers.features.extract_features`. Defaults to None: what goes into the
            last layers.
        batch_size: Number of images per batch. Defaults to None: that of the query.

    Returns:
        At most ``query.budget`` ids, in the order of ``ranking``.
    """
    chosen = _DiverseSet(query.budget, threshold)
    step = max(BUDGETS_PER_STEP * query.budget, 1)
    for start in range(0, len(ranking), step):
        if run_on_rank_zero(chosen.is_full):
            break
        candidates = ranking[start : start + step]
        vectors_by_id, _ = extract_features(query, candidates, layers, batch_size)
        ids, vectors = stack_finite(vectors_by_id, candidates)
        # Rank 0 alone has vectors, and fills the set.
        if ids:
            chosen.extend(ids, vectors)
    return chosen.ids


class _DiverseSet:
    """Images taken so far, none of which resembles another.

    Args:
        size: Number of images after which the set is full.
        threshold: Largest cosine of two images' features about the mean.
    """

    def __init__(self, size: int, threshold: float) -> None:
        self.ids: ImageIds = []
        self._size = size
        self._threshold = threshold
        self._vectors: Tensor | None = None
        self._mean: Tensor | None = None

    def is_full(self) -> bool:
        return len(self.ids) == self._size

    def extend(self, ids: ImageIds, vectors: Tensor) -> None:
        """Take, in this order, what resembles nothing taken so far; vectors have shape (n, D)."""
        if self._mean is None:
            self._mean = vectors.mean(0)
        for image_id, vector in zip(ids, vectors, strict=True):
            if self.is_full():
                return
            if self._resembles_one(vector):
                continue
            self.ids.append(image_id)
            row = vector[None]
            if self._vectors is None:
                self._vectors = row
            else:
                self._vectors = torch.cat([self._vectors, row])

    def _resembles_one(self, vector: Tensor) -> bool:
        """Whether a vector of shape (D,) resembles one that was taken."""
        if self._vectors is None:
            return False
        assert self._mean is not None
        resembles = _is_near_duplicate(self._vectors, vector, self._mean, self._threshold)
        return bool(resembles.any())


def _is_near_duplicate(taken: Tensor, vector: Tensor, mean: Tensor, threshold: float) -> Tensor:
    """Which of the taken vectors, shape (n, D), resemble one of shape (D,); shape (n,).

    Copies are found by their distance, since their common vector may be the mean, about which there
    is no cosine.
    """
    centered = vector - mean
    cosine = torch.cosine_similarity(taken - mean, centered[None], dim=1)
    distance = (taken - vector).norm(dim=1)
    is_copy: Tensor = distance <= COPY_TOLERANCE * vector.norm()
    return (cosine > threshold) | is_copy
