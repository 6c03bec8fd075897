"""Features of images together with what a classifier predicts for them, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmal.adapters.base import ImageId
from mmal.errors import InputError

from .base import ImageIds, Query
from .pool_pass import PassResult, run_over_pool

Finding = tuple[Any, Any]
"""Feature vector of shape (D,), and probability of each class, of shape (C,)."""


@dataclass(frozen=True)
class PredictedFeatures:
    """Features and predictions of images, stacked.

    Attributes:
        ids: Ids of the images.
        features: Shape (N, D).
        probabilities: Probability of each class, shape (N, C).
    """

    ids: ImageIds
    features: Tensor
    probabilities: Tensor

    def rows(self, ids: Sequence[ImageId]) -> list[int]:
        """Rows of some images, without those that are not there.

        Args:
            ids: Ids of the images.
        """
        row_of = {image_id: row for row, image_id in enumerate(self.ids)}
        return [row_of[image_id] for image_id in ids if image_id in row_of]


def predict_features(
    query: Query, ids: ImageIds, layers: list[str] | None, batch_size: int | None
) -> PassResult[Finding]:
    """Compute features and predictions of images of the pool.

    Args:
        query: The query whose model and images are used.
        ids: Ids of the images, labeled or not.
        layers: Names of the modules whose outputs are the features; None for the inputs of the last
            layers.
        batch_size: Number of images per batch; None for that of the query.

    Returns:
        In rank 0, the findings by id, and the reason by id for images that could not be loaded. In
        other processes, nothing.
    """
    adapter = query.adapter()
    several = takes_several(adapter)

    def predict_batch(batch_ids: ImageIds, items: list[Any]) -> list[Finding]:
        features = adapter.features(items, layers).float().cpu().numpy()
        probabilities = [of_classes(p, several) for p in adapter.probabilities(items)]
        return list(zip(features, probabilities, strict=True))

    return run_over_pool(query, predict_batch, ids, 'features', batch_size)


def reference_query(query: Query, most: int | None = None) -> Query:
    """Make a query about the images of the reference set, which are named by their row.

    Args:
        query: The query whose model and reference set are used.
        most: Number of images at most: evenly spaced ones of a larger set. Defaults to None: all.

    Raises:
        InputError: If the run has no reference set, or it is empty.
    """
    if query.reference_images is None:
        raise InputError(
            "target='reference' and 'both' need a reference set: add dict(type='mmal.StestHook') "
            "to custom_hooks, or take target='pool'."
        )
    dataset: Any = query.reference_images()
    n_images = len(dataset)
    if not n_images:
        raise InputError('The reference set is empty: it has no image.')
    rows = list(range(n_images))
    if most is not None and n_images > most:
        rows = [place * n_images // most for place in range(most)]
    row_of_id: dict[ImageId, int] = {row: row for row in rows}
    return replace(
        query,
        ids=list(row_of_id),
        images=lambda: (dataset, row_of_id),
        pass_dir=query.pass_dir / 'reference',
    )


def stack_findings(findings: dict[ImageId, Finding], ids: Sequence[ImageId]) -> PredictedFeatures:
    """Stack the findings that exist and are finite.

    Args:
        findings: Findings by id.
        ids: Ids to take, in this order.
    """
    there = [image_id for image_id in ids if image_id in findings]
    if not there:
        return PredictedFeatures([], torch.empty(0, 0), torch.empty(0, 0))
    features = torch.from_numpy(np.stack([findings[image_id][0] for image_id in there]))
    probabilities = torch.from_numpy(np.stack([findings[image_id][1] for image_id in there]))
    is_finite = features.isfinite().all(1) & probabilities.isfinite().all(1)
    if bool(is_finite.all()):
        return PredictedFeatures(there, features, probabilities)
    rows = is_finite.nonzero()[:, 0]
    kept = [there[row] for row in rows.tolist()]
    return PredictedFeatures(kept, features[rows], probabilities[rows])


def takes_several(adapter: Any) -> bool:
    """Whether a classifier's image may have several labels.

    Args:
        adapter: Model side of a classifier.
    """
    return bool(adapter.multi_label)


def of_classes(distributions: Tensor, several: bool) -> Any:
    """Read the probability of each class off the distributions of one image.

    Args:
        distributions: As :meth:`~mmal.adapters.base.ModelAdapter.probabilities` gives them: with
            several labels one row per class, whose first column is "the class is there".
        several: Whether an image may have several labels.

    Returns:
        Shape (C,).
    """
    probabilities = distributions[:, 0] if several else distributions[0]
    return probabilities.float().numpy()
