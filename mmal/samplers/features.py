"""Features of images, one vector per image, for samplers that choose by distance."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmal.adapters.base import ImageId
from mmal.adapters.features import recorded

from .base import ImageIds, Query, Reasons, Scores
from .pool_pass import PassResult, run_over_pool

FeatureVector = NDArray[np.float32]
"""One vector of an image, shape (D,)."""


def check_layers(layers: Sequence[str] | None, model: nn.Module) -> None:
    """Refuse names of modules that the model does not have.

    Args:
        layers: Names of modules, or None.
        model: The model, not wrapped.

    Raises:
        InputError: If a name is not that of a module.
    """
    if layers is None:
        return
    # Nothing runs inside: the context itself looks up the modules.
    with recorded(model, list(layers)):
        pass


def extract_features(
    query: Query,
    ids: ImageIds,
    layers: list[str] | None = None,
    batch_size: int | None = None,
) -> PassResult[FeatureVector]:
    """Compute the feature vectors of images in one pass over them.

    Args:
        query: The query whose model and images are used.
        ids: Ids of the images, labeled or not.
        layers: Names of the modules whose outputs are averaged over space and concatenated.
            Defaults to None: what goes into the last layers (of a classifier, the feature before
            the last layer; of FCOS, the ends of both branches).
        batch_size: Number of images per batch. Defaults to None: that of the query.

    Returns:
        In rank 0, float32 vectors of shape (D,) by id, and the reason by id for images that could
        not be loaded. In other processes, nothing.
    """
    adapter = query.adapter()

    def predict_batch(batch_ids: ImageIds, items: list[Any]) -> list[FeatureVector]:
        features = adapter.features(items, layers)
        return list(features.float().cpu().numpy())

    return run_over_pool(query, predict_batch, ids, 'features', batch_size)


def stack_finite(
    vectors: Mapping[ImageId, FeatureVector], ids: Sequence[ImageId], width: int = 0
) -> tuple[ImageIds, Tensor]:
    """Stack the vectors that exist and are finite.

    Args:
        vectors: Vectors of shape (D,) by id.
        ids: Ids to take, in this order.
        width: Second dimension of the result where no vector is left. Defaults to 0.

    Returns:
        The N ids whose vector is there and finite, and the vectors, shape (N, D), or (0,
        ``width``).
    """
    finite_ids = []
    finite_vectors = []
    for image_id in ids:
        if image_id not in vectors:
            continue
        vector = torch.from_numpy(vectors[image_id])
        if bool(vector.isfinite().all()):
            finite_ids.append(image_id)
            finite_vectors.append(vector)
    if not finite_ids:
        return [], torch.empty(0, width)
    return finite_ids, torch.stack(finite_vectors)


def known_ids(ids: Iterable[ImageId], vectors: Container[ImageId]) -> ImageIds:
    """Keep the ids whose vector exists.

    Args:
        ids: The ids.
        vectors: Vectors by id.

    Returns:
        The ids with a vector, in their order.
    """
    return [image_id for image_id in ids if image_id in vectors]


def unscored(query: Query, vectors: Container[ImageId], unreadable: Reasons) -> Scores:
    """Make the answer of a sampler that has chosen nothing yet.

    Args:
        query: The query.
        vectors: Vectors by id.
        unreadable: Reason by id for images that could not be loaded, labeled ones among them.

    Returns:
        A score of NaN for each image asked about that has a vector, and the reasons for those asked
        about that could not be loaded.
    """
    values = dict.fromkeys(known_ids(query.ids, vectors), math.nan)
    asked = set(query.ids)
    unreadable_asked = {}
    for image_id, reason in unreadable.items():
        if image_id in asked:
            unreadable_asked[image_id] = reason
    return Scores(values, unreadable=unreadable_asked)
