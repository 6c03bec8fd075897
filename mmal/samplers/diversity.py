"""A batch-aware choice: of images that resemble each other, the best one."""

from __future__ import annotations

import torch
from torch import Tensor

from mmal.distributed.rank_zero import run_on_rank_zero

from .base import Query
from .features import features, stack_finite

BUDGETS_PER_STEP = 5
"""Images looked at in one go, in budgets."""


def select_diverse(
    query: Query,
    ranking: list,
    threshold: float,
    layers: list[str] | None = None,
    batch_size: int | None = None,
) -> list:
    """Go down a ranking and leave out what resembles an image taken before it, until the budget is reached.

    Features are made of a few budgets of images at a time, and of more only if they are needed.

    Args:
        query: Its budget counts.
        ranking: Ids, best first.
        threshold: Largest cosine of two images' features, of which the mean over the first images is subtracted.
        layers: See :func:`~mmal.samplers.features.features`.
        batch_size: Images to a batch.

    Returns:
        At most ``query.budget`` ids, in the order of ``ranking``.
    """
    taken: list = []
    kept: Tensor | None = None
    mean: Tensor | None = None
    step = max(BUDGETS_PER_STEP * query.budget, 1)
    for start in range(0, len(ranking), step):
        if run_on_rank_zero(lambda: len(taken) == query.budget):
            break
        part = ranking[start : start + step]
        ids, x = stack_finite(features(query, part, layers, batch_size)[0], part)
        if not ids:
            continue
        mean = x.mean(0) if mean is None else mean
        for i, row in zip(ids, x, strict=True):
            if len(taken) < query.budget and (
                kept is None or not bool(_is_near_duplicate(kept, row, mean, threshold).any())
            ):
                taken.append(i)
                kept = row[None] if kept is None else torch.cat([kept, row[None]])
    return taken


def _is_near_duplicate(kept: Tensor, row: Tensor, mean: Tensor, threshold: float) -> Tensor:
    """Which of the kept vectors resemble one: by the cosine about the mean, or as copies, which may be the mean."""
    cosine = torch.cosine_similarity(kept - mean, (row - mean)[None], dim=1)
    return (cosine > threshold) | ((kept - row).norm(dim=1) <= 1e-5 * row.norm())
