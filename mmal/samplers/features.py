"""Features of images, one vector each, for samplers that choose by distance."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Query
from .pool_pass import run_over_pool


def features(
    query: Query, ids: list, layers: list[str] | None = None, batch_size: int | None = None
) -> tuple[dict, dict]:
    """Feature vectors of images by id, float32 numpy arrays of shape (D,), and why an image has none.

    Args:
        query: Whose images.
        ids: Which, labeled or not.
        layers: Modules whose outputs are taken, averaged over space and concatenated. Defaults to None: what goes into
            the last layers (of a classifier: the feature before the last layer; of FCOS: the ends of both branches).
        batch_size: Images to a batch. Defaults to None: the query's.
    """
    task = query.adapter()
    return run_over_pool(
        query,
        lambda keys, items: list(task.features(items, layers).float().cpu().numpy()),
        ids,
        'features',
        batch_size,
    )


def stack_finite(found: dict, ids: list, width: int = 0) -> tuple[list, Tensor]:
    """Those of the ids whose vector is there and finite, and the vectors, shape (N, D); (0, width) if there is none."""
    vectors = {i: torch.from_numpy(found[i]) for i in ids if i in found}
    ids = [i for i, x in vectors.items() if bool(x.isfinite().all())]
    return ids, torch.stack([vectors[i] for i in ids]) if ids else torch.empty(0, width)
