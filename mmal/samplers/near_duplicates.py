"""A batch-aware choice: of images that resemble each other, the best one."""

from __future__ import annotations

import torch

from .base import Query
from .features import features, stacked


def spread(query: Query, ranking: list, threshold: float, layers: list[str] | None = None,
           batch_size: int | None = None) -> list:
    """Go through a ranking and leave out what resembles an image taken before it, until the budget is reached.

    Args:
        query: Its budget counts.
        ranking: Ids, best first.
        threshold: Largest cosine of two images' features, of which the mean over ``ranking`` is subtracted.
        layers: See :func:`~mmal.samplers.features.features`.
        batch_size: Images to a batch.

    Returns:
        At most ``query.budget`` ids, in the order of ``ranking``.
    """
    ids, x = stacked(features(query, ranking, layers, batch_size)[0], ranking)
    x = torch.nn.functional.normalize(x - x.mean(0), dim=1)
    taken: list[int] = []
    for row in range(len(ids)):
        if len(taken) == query.budget:
            break
        if not taken or float((x[taken] @ x[row]).max()) <= threshold:
            taken.append(row)
    return [ids[row] for row in taken]
