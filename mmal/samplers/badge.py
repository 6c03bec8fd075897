"""BADGE: diverse gradients of the last layers."""

from __future__ import annotations

from typing import Any

from torch import nn

from mmal.adapters.base import PseudoLabels
from mmal.influence.parameters import restrict_grad, select_parameters
from mmal.pool.order import in_order
from mmal.registry import SAMPLERS
from mmal.utils.seeding import derive_seed

from .algorithms.count_sketch import count_sketch
from .algorithms.kmeans_pp import kmeans_pp
from .base import BaseSampler, ImageIds, Query, Scores
from .features import FeatureVector, stack_finite, unscored
from .placement import device_with_room
from .pool_pass import PassResult, run_over_pool


@SAMPLERS.register_module()
class BadgeSampler(BaseSampler):
    """BADGE (Ash et al., ICLR 2020): k-means++ seeding on gradients of the last layers.

    The gradient is that of the loss against the model's own most confident prediction (for a
    detector, its pseudo-boxes). It is long where the model is unsure, and it points elsewhere where
    images differ. For a classifier it is the paper's gradient embedding. Gradients longer than
    ``dim`` are sketched to ``dim`` numbers. The score of an image that was not drawn is minus its
    squared distance to the nearest one that was.

    Args:
        dim: Largest length of a vector. Defaults to 2048.
        score_thr: For detection, smallest confidence of a prediction that becomes a pseudo-box, see
            :class:`~mmal.samplers.influence.InfluenceSampler`. Defaults to 0.1.
        batch_size: Number of images per batch. Defaults to None: that of ``val_dataloader``.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self, dim: int = 2048, score_thr: float = 0.1, batch_size: int | None = None
    ) -> None:
        if dim < 1 or not 0 <= score_thr <= 1:
            raise ValueError(
                f'BadgeSampler: expected dim >= 1 and 0 <= score_thr <= 1, got {dim}, {score_thr}.'
            )
        self.dim = dim
        self.rule = PseudoLabels(score_thr=score_thr)
        self.batch_size = batch_size

    def score(self, query: Query) -> Scores:
        """Draw images by k-means++ on their gradients.

        Args:
            query: The images to score, and the budget.

        Returns:
            Minus the squared distance to the nearest drawn image. The drawn images are the order.
        """
        gradients, unreadable = self._gradients(query)
        ids, points = stack_finite(gradients, in_order(query.ids))
        scores = unscored(query, gradients, unreadable)
        if ids:
            seed = derive_seed(query.seed, f'badge/{query.round}')
            # Only rank 0 has ids, and with them points.
            device = device_with_room(query.adapter().model, 2 * points.nbytes)
            rows, squared_distance = kmeans_pp(points.to(device), query.budget, seed)
            closeness = -squared_distance
            scores.value.update(zip(ids, closeness.tolist(), strict=True))
            scores.order = [ids[row] for row in rows]
        return scores.record_nonfinite(query.logger)

    def _gradients(self, query: Query) -> PassResult[FeatureVector]:
        """Sketched gradients of shape (dim,) by id, and the reason by id for unreadable images."""
        adapter = query.adapter()
        seed = derive_seed(query.seed, 'badge/sketch')
        params: dict[str, nn.Parameter] = {}

        def predict_batch(ids: ImageIds, items: list[Any]) -> list[FeatureVector]:
            # The last layers are known once a first image is there.
            if not params:
                names = adapter.output_layers(items)
                params.update(select_parameters(adapter.model, names))
            with adapter.loss_mode(), restrict_grad(adapter.model, params):
                gradients = adapter.pseudo_gradients(items, ids, params, self.rule)
            # On a GPU the sums of a sketch have no fixed order.
            sketches = count_sketch(gradients.cpu(), self.dim, seed)
            return list(sketches.numpy())

        return run_over_pool(query, predict_batch, title='gradients', batch_size=self.batch_size)
