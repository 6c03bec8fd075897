"""Core-set: cover the pool in feature space."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmal.adapters.base import DataAdapter
from mmal.distributed.group import Group
from mmal.pool.order import shuffled
from mmal.registry import SAMPLERS

from .algorithms.kcenter import kcenter_greedy
from .base import BaseSampler, Query, Scores
from .features import check_layers, extract_features, stack_finite, unscored
from .placement import device_with_room


@SAMPLERS.register_module()
class CoresetSampler(BaseSampler):
    """K-center greedy on features: the next image is the farthest from all labeled and taken ones.

    Sener & Savarese (ICLR 2018), as in the ISAL paper's appendix D. For a classifier the feature is
    the one before its last layer. For FCOS it is the ends of both branches, averaged over space
    (and over pyramid levels, which the paper leaves open) and concatenated. The score is minus the
    distance to the nearest labeled or taken image. Labeled images that are held out cover nothing:
    no model learns from them. Ties are broken by the seed.

    Args:
        layers: Names of modules whose outputs are the features, e.g. ``['neck']``. Defaults to
            None: what goes into the last layers.
        metric: 'euclidean', or 'cosine': features are divided by their length first. Defaults to
            'euclidean'.
        batch_size: Number of images per batch. Defaults to None: that of ``val_dataloader``.

    Raises:
        ValueError: If the metric is unknown.
    """

    def __init__(
        self,
        layers: list[str] | None = None,
        metric: str = 'euclidean',
        batch_size: int | None = None,
    ) -> None:
        if metric not in ('euclidean', 'cosine'):
            raise ValueError(
                f"CoresetSampler: expected metric 'euclidean' or 'cosine', got {metric!r}."
            )
        self.layers = layers
        self.metric = metric
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
        """Choose images by k-center greedy. Those whose features are not finite rank last.

        Args:
            query: The images to score, the labeled ones, and the budget.

        Returns:
            Minus the distance to the nearest center. The chosen images are the order.
        """
        group = Group()
        vectors_by_id, unreadable = extract_features(
            query, query.trained_on + query.ids, self.layers, self.batch_size
        )
        scores = unscored(query, vectors_by_id, unreadable)
        candidates = shuffled(query.ids, query.seed, f'coreset/{query.round}')
        ids, points = stack_finite(vectors_by_id, candidates)
        width = points.shape[1]
        _, centers = stack_finite(vectors_by_id, query.trained_on, width)
        # The stacked copies suffice, and the pool may be large.
        del vectors_by_id
        if self.metric == 'cosine':
            points = torch.nn.functional.normalize(points, dim=1)
            centers = torch.nn.functional.normalize(centers, dim=1)

        def shares() -> list[tuple[Tensor, Tensor]]:
            parts = []
            for rank in range(group.world):
                part = points[rank :: group.world].contiguous()
                parts.append((part, centers))
            return parts

        points, centers = group.scatter(shares)
        device = device_with_room(query.adapter().model, 2 * (points.nbytes + centers.nbytes))
        chosen, distance = kcenter_greedy(
            points.to(device), centers.to(device), query.budget, group=group
        )
        # Only rank 0, whose scores count, has ids.
        if ids:
            closeness = -distance
            scores.value.update(zip(ids, closeness.tolist(), strict=True))
            scores.order = [ids[row] for row in chosen]
        return scores.record_nonfinite(query.logger)
