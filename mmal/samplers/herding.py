"""MaxHerding: images that stand for as much of the pool as possible."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from mmal.adapters.base import DataAdapter
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.pool.order import first_shuffled, shuffled
from mmal.registry import SAMPLERS

from .algorithms.max_herding import max_herding
from .base import BaseSampler, ImageIds, Query, Scores
from .features import check_layers, extract_features, stack_finite, unscored
from .placement import device_with_room

MAX_TARGETS = 2000
"""Images of the pool that are to be covered; of a larger pool so many are drawn at random."""


@SAMPLERS.register_module()
class HerdingSampler(BaseSampler):
    """Take the image that raises the coverage of the pool most, then the next.

    MaxHerding of Bae et al., "Generalized Coverage for More Robust Low-Budget Active Learning"
    (ECCV 2024). An image is covered by the labeled or taken one that is most similar to it; the
    similarity is exp(-(distance / radius)^2) of features divided by their length, and coverage is
    its mean over the pool. Labeled images that are held out cover nothing: no model learns from
    them. In contrast to :class:`~mmal.samplers.coreset.CoresetSampler` it takes
    images from where there are many rather than outliers.

    It looks at no label and at no prediction, so that it fits the first images of a run:
    it is the default ``cold_start`` where the backbone is pretrained.
    The score is minus the gain in coverage, 0 to 1. Ties are broken by the seed. It chooses in one
    process; features are computed in all.

    Args:
        layers: Names of modules whose outputs are the features, e.g. ``['backbone']``. Defaults to
            None: what goes into the last layers.
        radius: Distance of unit vectors at which the similarity is 1/e. Defaults to 1, as the
            authors have it.
        max_targets: Number of images that are to be covered at most, at least 1. Of more labeled
            and unlabeled ones so many are drawn by the seed. Defaults to 2000.
        target_share: Share of the labeled and unlabeled images, above 0 to 1, that are to be
            covered. Defaults to 1: all, so that a pool of up to ``max_targets`` images gives every
            seed the same choice. With 0.5 each seed covers another half, and seeds of a comparison
            differ.
        batch_size: Number of images per batch. Defaults to None: that of ``val_dataloader``.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        layers: list[str] | None = None,
        radius: float = 1.0,
        max_targets: int = MAX_TARGETS,
        target_share: float = 1.0,
        batch_size: int | None = None,
    ) -> None:
        if not (math.isfinite(radius) and radius > 0):
            raise ValueError(f'HerdingSampler: expected radius above 0, got {radius}.')
        if max_targets < 1:
            raise ValueError(
                f'HerdingSampler: expected max_targets of 1 or more, got {max_targets}.'
            )
        if not 0 < target_share <= 1:
            raise ValueError(
                f'HerdingSampler: expected target_share above 0 to 1, got {target_share}.'
            )
        self.layers = layers
        self.radius = radius
        self.max_targets = max_targets
        self.target_share = target_share
        self.batch_size = batch_size

    def check(self, data: DataAdapter, images: int, model: nn.Module) -> None:
        """Refuse layers that the model does not have.

        Args:
            data: Data side of the run.
            images: Smallest number of images that a query will take.
            model: The model as built from the config, not wrapped.

        Raises:
            InputError: If a name in ``layers`` is not that of a module.
        """
        check_layers(self.layers, model)

    def score(self, query: Query) -> Scores:
        """Choose images by MaxHerding. Those whose features are not finite rank last.

        Args:
            query: The images to score, the labeled ones, and the budget.

        Returns:
            Minus the gain in coverage of each image: that of a chosen one when it was chosen, that
            of the others after the last. The chosen images are the order.
        """
        vectors, unreadable = extract_features(
            query, query.labeled + query.ids, self.layers, self.batch_size
        )
        scores = unscored(query, vectors, unreadable)
        # Rank 0 alone has vectors.
        run_on_rank_zero(lambda: self._choose(query, vectors, scores))
        return scores.record_nonfinite(query.logger)

    def _choose(self, query: Query, vectors: dict[Any, Any], scores: Scores) -> None:
        """Fill in the scores and the order."""
        ids, points = stack_finite(vectors, self._shuffled(query, query.ids))
        if not ids:
            return
        _, centers = stack_finite(vectors, query.trained_on, points.shape[1])
        _, targets = stack_finite(vectors, self._targets(query), points.shape[1])
        n_bytes = 2 * (points.nbytes + centers.nbytes) + 2 * targets.nbytes
        device = device_with_room(query.adapter().model, n_bytes)
        unit_points, unit_targets, unit_centers = (
            nn.functional.normalize(part.to(device), dim=1) for part in (points, targets, centers)
        )
        chosen, gains = max_herding(
            unit_points, unit_targets, unit_centers, query.budget, self.radius
        )
        scores.value.update(zip(ids, (-gains).tolist(), strict=True))
        scores.order = [ids[row] for row in chosen]

    def _targets(self, query: Query) -> ImageIds:
        """Ids of the images that are to be covered."""
        every = query.labeled + query.ids
        n_targets = max(1, round(self.target_share * len(every)))
        purpose = f'herding targets/{query.round}'
        return first_shuffled(every, query.seed, purpose, min(n_targets, self.max_targets))

    @staticmethod
    def _shuffled(query: Query, ids: ImageIds) -> ImageIds:
        return shuffled(ids, query.seed, f'herding/{query.round}')
