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
    ``cold_start=dict(type='mmal.HerdingSampler', layers=['backbone'])`` with a pretrained backbone.
    The score is minus the gain in coverage, 0 to 1. Ties are broken by the seed. It chooses in one
    process; features are computed in all.

    Args:
        layers: Names of modules whose outputs are the features, e.g. ``['backbone']``. Defaults to
            None: what goes into the last layers.
        radius: Distance of unit vectors at which the similarity is 1/e. Defaults to 1, as the
            authors have it.
        max_targets: Number of images that are to be covered, at least 1: the labeled and unlabeled
            ones, or as many of them, drawn at random. Defaults to 2000.
        batch_size: Number of images per batch. Defaults to None: that of ``val_dataloader``.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        layers: list[str] | None = None,
        radius: float = 1.0,
        max_targets: int = MAX_TARGETS,
        batch_size: int | None = None,
    ) -> None:
        if not (math.isfinite(radius) and radius > 0):
            raise ValueError(f'HerdingSampler: expected radius above 0, got {radius}.')
        if max_targets < 1:
            raise ValueError(
                f'HerdingSampler: expected max_targets of 1 or more, got {max_targets}.'
            )
        self.layers = layers
        self.radius = radius
        self.max_targets = max_targets
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
        covered_ids = first_shuffled(
            query.labeled + query.ids,
            query.seed,
            f'herding targets/{query.round}',
            self.max_targets,
        )
        _, targets = stack_finite(vectors, covered_ids, points.shape[1])
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

    @staticmethod
    def _shuffled(query: Query, ids: ImageIds) -> ImageIds:
        return shuffled(ids, query.seed, f'herding/{query.round}')
