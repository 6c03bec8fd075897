"""BADGE: diverse gradients of the last layers."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from torch import nn

from mmal.adapters.base import ClassifierAdapter, PseudoLabels
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

_Factors: TypeAlias = tuple[FeatureVector, FeatureVector]
"""Two vectors whose outer product is the gradient of an image."""

_ONE = np.ones(1, dtype=np.float32)


@SAMPLERS.register_module()
class BadgeSampler(BaseSampler):
    """BADGE (Ash et al., ICLR 2020): k-means++ seeding on gradients of the last layers.

    The gradient is that of the loss against the model's own most confident prediction (for a
    detector, its pseudo-boxes). It is long where the model is unsure, and it points elsewhere where
    images differ. For a classifier it is the paper's gradient embedding and that of the bias. The
    score of an image that was not drawn is minus its squared distance to the nearest one that was.

    Distances are exact for a classifier whose last layer is one linear layer, whatever the number
    of classes: the gradient is the outer product of the slope of the loss in the outputs, p - y for
    cross-entropy, and of the feature, of which none is formed. Other gradients, those of detectors
    among them, are sketched to ``dim`` numbers if they are longer, which keeps inner products on
    average.

    Args:
        dim: Largest length of a gradient that is no outer product. Defaults to 2048.
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
        findings, unreadable = self._gradients(query)
        scores = unscored(query, findings, unreadable)
        joined = {image_id: np.concatenate(pair) for image_id, pair in findings.items()}
        ids, points = stack_finite(joined, in_order(query.ids))
        # Only rank 0 has ids, and with them points.
        if ids:
            width = len(findings[ids[0]][0])
            device = device_with_room(query.adapter().model, 3 * points.nbytes)
            points = points.to(device)
            left = points[:, :width].contiguous()
            right = points[:, width:].contiguous()
            seed = derive_seed(query.seed, f'badge/{query.round}')
            rows, squared_distance = kmeans_pp(left, right, query.budget, seed)
            closeness = -squared_distance
            scores.value.update(zip(ids, closeness.tolist(), strict=True))
            scores.order = [ids[row] for row in rows]
        return scores.record_nonfinite(query.logger)

    def _gradients(self, query: Query) -> PassResult[_Factors]:
        """Gradients as outer products by id, and the reason by id for unreadable images."""
        adapter = query.adapter()
        seed = derive_seed(query.seed, 'badge/sketch')
        params: dict[str, nn.Parameter] = {}

        def predict_batch(ids: ImageIds, items: list[Any]) -> list[_Factors]:
            # The last layers are known once a first image is there.
            if not params:
                names = adapter.output_layers(items)
                params.update(select_parameters(adapter.model, names))
            with adapter.loss_mode(), restrict_grad(adapter.model, params):
                if isinstance(adapter, ClassifierAdapter):
                    factors = adapter.pseudo_gradient_factors(items, params, self.rule)
                    if factors is not None:
                        left, right = factors
                        return list(zip(left.cpu().numpy(), right.cpu().numpy(), strict=True))
                gradients = adapter.pseudo_gradients(items, ids, params, self.rule)
            # On a GPU the sums of a sketch have no fixed order.
            sketches = count_sketch(gradients.cpu(), self.dim, seed)
            return [(_ONE, sketch) for sketch in sketches.numpy()]

        return run_over_pool(query, predict_batch, title='gradients', batch_size=self.batch_size)
