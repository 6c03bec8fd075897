from __future__ import annotations

import math

import torch

from mmal.distributed.group import Group
from mmal.pool.order import shuffled
from mmal.registry import SAMPLERS
from mmal.samplers.algorithms.kcenter import kcenter_greedy

from .base import Query, Scores
from .features import features, stack_finite


@SAMPLERS.register_module()
class CoresetSampler:
    """K-center greedy on features: each image taken is the farthest from all labeled and taken ones.

    Sener & Savarese (ICLR 2018), as in the ISAL paper's appendix D: for a classifier the feature before its last
    layer; for FCOS the ends of both branches, averaged over space (and over pyramid levels, which the paper leaves
    open) and concatenated. The score is minus the distance to the nearest labeled or taken image. Ties break by the
    seed.

    Args:
        layers: Modules whose outputs are the features, e.g. ``['neck']``. Defaults to None: what goes into the last
            layers.
        metric: 'euclidean', or 'cosine': features are divided by their length first. Defaults to 'euclidean'.
        batch_size: Images to a batch. Defaults to None: that of ``val_dataloader``.

    Raises:
        ValueError: If the metric is unknown.
    """

    needs_s_test = False
    solver = None
    column = 'score'

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
        self.layers, self.metric, self.batch_size = layers, metric, batch_size

    def score(self, query: Query) -> Scores:
        """Minus the distance; the chosen ones are the order. An image whose features are not finite ranks last."""
        group, asked = Group(), set(query.ids)
        found, unreadable = features(query, query.labeled + query.ids, self.layers, self.batch_size)
        ids, points = stack_finite(found, shuffled(query.ids, query.seed, f'coreset/{query.round}'))
        centers = stack_finite(found, query.labeled, points.shape[1])[1]
        value = {i: math.nan for i in query.ids if i in found}
        del found
        if self.metric == 'cosine':
            points, centers = (torch.nn.functional.normalize(x, dim=1) for x in (points, centers))
        points, centers = group.scatter(
            lambda: [
                (points[rank :: group.world].contiguous(), centers) for rank in range(group.world)
            ]
        )
        chosen, distance = kcenter_greedy(points, centers, query.budget, group=group)
        value.update(zip(ids, (-distance).tolist(), strict=False))  # in rank 0, whose scores count
        scores = Scores(
            value,
            [ids[row] for row in chosen] if ids else [],
            unreadable={i: reason for i, reason in unreadable.items() if i in asked},
        )
        return scores.record_nonfinite(query.logger)
