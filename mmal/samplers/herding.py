"""MaxHerding and Uncertainty Herding: images that stand for as much of the pool as possible."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mmal.adapters.base import DataAdapter, ImageId
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.errors import InputError
from mmal.pool.order import first_shuffled, shuffled
from mmal.registry import SAMPLERS

from .algorithms.max_herding import least_distance, max_herding
from .base import BaseSampler, ImageIds, Query, Reasons, Scores
from .features import FeatureVector, check_layers, extract_features, stack_finite, unscored
from .placement import device_with_room
from .predicted_features import predict_features, takes_several
from .temperature import at_temperature, fit_temperature
from .uncertainty import small_margin

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

    With ``uncertainty`` it is Uncertainty Herding (Bae et al., "Uncertainty Herding: One Active
    Learning Method for All Label Budgets", ICLR 2025), for classifiers, from the second round on.
    An image x that is to be covered counts by U(x), which is one minus the difference of its two
    largest probabilities, and 0 where x is labeled and trained on; with several labels an image, it
    is the mean of :math:`1 - |2p - 1|` over the classes. The radius is the least distance between
    two labeled images that are no copies, so that the choice turns from coverage to uncertainty as
    labels grow. Probabilities are calibrated: those of a refitted head (``train_cfg.head``) are,
    and those of a trained network are taken at the temperature of the least loss on the reference
    set of the run's StestHook; without one they stay as they are. The authors' code
    (BorealisAI/uherding, read, not run) finds the temperature by the calibration error on a fifth
    of the labeled images.

    Args:
        layers: Names of modules whose outputs are the features, e.g. ``['backbone']``. Defaults to
            None: what goes into the last layers.
        radius: Distance of unit vectors at which the similarity is 1/e; with ``uncertainty`` only
            until two different images are labeled. Defaults to 1, as the authors have it.
        max_targets: Number of images that are to be covered at most, at least 1. Of more labeled
            and unlabeled ones so many are drawn by the seed. Defaults to 2000.
        target_share: Share of the labeled and unlabeled images, above 0 to 1, that are to be
            covered. Defaults to 1: all, so that a pool of up to ``max_targets`` images gives every
            seed the same choice. With 0.5 each seed covers another half, and seeds of a comparison
            differ.
        uncertainty: Whether an image that is to be covered counts by the model's uncertainty.
            Defaults to False.
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
        uncertainty: bool = False,
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
        self.uncertainty = uncertainty
        self.batch_size = batch_size

    def check(self, data: DataAdapter, images: int, model: nn.Module) -> None:
        """Refuse layers that the model does not have, and ``uncertainty`` of a detector.

        Args:
            data: Data side of the run.
            images: Smallest number of images that a query will take.
            model: The model as built from the config, not wrapped.

        Raises:
            InputError: If a name in ``layers`` is not that of a module, or the run is one of
                detection and ``uncertainty`` is set.
        """
        if self.uncertainty and data.has_boxes:
            raise InputError(
                'HerdingSampler(uncertainty=True) is for classifiers, and this config is of a '
                'detector. Remove uncertainty, or take mmal.PPALSampler.'
            )
        check_layers(self.layers, model)

    def score(self, query: Query) -> Scores:
        """Choose images by MaxHerding. Those whose features are not finite rank last.

        Args:
            query: The images to score, the labeled ones, and the budget.

        Returns:
            Minus the gain in coverage of each image: that of a chosen one when it was chosen, that
            of the others after the last. The chosen images are the order.
        """
        ids = query.labeled + query.ids
        weight_of: dict[ImageId, float] | None = None
        if self.uncertainty and query.trained_on:
            vectors, weight_of, unreadable = self._uncertain_features(query, ids)
        else:
            vectors, unreadable = extract_features(query, ids, self.layers, self.batch_size)
        scores = unscored(query, vectors, unreadable)
        # Rank 0 alone has vectors.
        run_on_rank_zero(lambda: self._choose(query, vectors, weight_of, scores))
        return scores.record_nonfinite(query.logger)

    def _uncertain_features(
        self, query: Query, ids: ImageIds
    ) -> tuple[dict[ImageId, FeatureVector], dict[ImageId, float], Reasons]:
        """Features and U by id, and why images could not be loaded; those of rank 0 count.

        An image whose probabilities are not finite has a feature that is not finite.
        """
        temperature = fit_temperature(query, self.batch_size)
        findings, unreadable = predict_features(query, ids, self.layers, self.batch_size)
        several = takes_several(query.adapter())
        trained_on = set(query.trained_on)
        vectors = {}
        weight_of = {}
        for image_id, (vector, probabilities) in findings.items():
            p = at_temperature(torch.from_numpy(probabilities)[None], temperature, several)
            weight = 0.0 if image_id in trained_on else float(_uncertainty(p, several))
            vectors[image_id] = vector if math.isfinite(weight) else vector * math.nan
            weight_of[image_id] = weight
        return vectors, weight_of, unreadable

    def _choose(
        self,
        query: Query,
        vectors: dict[ImageId, FeatureVector],
        weight_of: dict[ImageId, float] | None,
        scores: Scores,
    ) -> None:
        """Fill in the scores and the order."""
        ids, points = stack_finite(vectors, self._shuffled(query, query.ids))
        if not ids:
            return
        _, centers = stack_finite(vectors, query.trained_on, points.shape[1])
        target_ids, targets = stack_finite(vectors, self._targets(query), points.shape[1])
        n_bytes = 2 * (points.nbytes + centers.nbytes) + 2 * targets.nbytes
        device = device_with_room(query.adapter().model, n_bytes)
        unit_points, unit_targets, unit_centers = (
            nn.functional.normalize(part.to(device), dim=1) for part in (points, targets, centers)
        )
        radius = self.radius
        weights = None
        if weight_of is not None:
            radius = least_distance(unit_centers) or radius
            weights = unit_targets.new_tensor([weight_of[image_id] for image_id in target_ids])
        chosen, gains = max_herding(
            unit_points, unit_targets, unit_centers, query.budget, radius, weights
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


def _uncertainty(p: Tensor, several: bool) -> Tensor:
    """U of images, shape (N,), 0 to 1, from the probabilities of their classes, shape (N, C)."""
    if not several:
        return small_margin(p)
    outcomes = torch.stack([p, 1 - p], 2)
    margins = small_margin(outcomes.flatten(0, 1))
    return margins.reshape(p.shape).mean(1)
