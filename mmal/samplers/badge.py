from __future__ import annotations

import math

from mmal.adapters.base import PseudoLabels
from mmal.influence.parameters import restrict_grad, select_parameters
from mmal.pool.order import in_order
from mmal.registry import SAMPLERS
from mmal.samplers.algorithms.count_sketch import count_sketch
from mmal.samplers.algorithms.kmeans_pp import kmeans_pp
from mmal.utils.seeding import derive_seed

from .base import Query, Scores
from .features import stack_finite
from .pool_pass import run_over_pool


@SAMPLERS.register_module()
class BadgeSampler:
    """BADGE (Ash et al., ICLR 2020): k-means++ seeding on gradients of the last layers.

    The gradient is that of the loss against the model's own most confident prediction (for a detector, its
    pseudo-boxes): long where the model is unsure, and pointing elsewhere where images differ. For a classifier it is
    the paper's gradient embedding. Gradients longer than ``dim`` are sketched to ``dim`` numbers. Images that were not
    drawn are scored by minus their squared distance to the nearest one that was.

    Args:
        dim: Largest length of a vector. Defaults to 2048.
        score_thr: Detection: see :class:`~mmal.samplers.InfluenceSampler`. Defaults to 0.1.
        batch_size: Images to a batch. Defaults to None: that of ``val_dataloader``.

    Raises:
        ValueError: If an argument is out of range.
    """

    needs_s_test = False
    solver = None
    column = 'score'

    def __init__(
        self, dim: int = 2048, score_thr: float = 0.1, batch_size: int | None = None
    ) -> None:
        if dim < 1 or not 0 <= score_thr <= 1:
            raise ValueError(
                f'BadgeSampler: expected dim >= 1 and 0 <= score_thr <= 1, got {dim}, {score_thr}.'
            )
        self.dim, self.rule, self.batch_size = dim, PseudoLabels(score_thr=score_thr), batch_size

    def score(self, query: Query) -> Scores:
        """Minus the squared distance to what was drawn; the drawn ones are the order."""
        found, unreadable = self._gradients(query)
        ids, points = stack_finite(found, in_order(query.ids))
        value, order = {i: math.nan for i in query.ids if i in found}, []
        if ids:
            rows, distance = kmeans_pp(
                points, query.budget, derive_seed(query.seed, f'badge/{query.round}')
            )
            value.update(zip(ids, (-distance).tolist(), strict=True))
            order = [ids[row] for row in rows]
        return Scores(value, order, unreadable=unreadable).record_nonfinite(query.logger)

    def _gradients(self, query: Query) -> tuple[dict, dict]:
        task, params = query.adapter(), {}
        seed = derive_seed(query.seed, 'badge/sketch')

        def visit(keys: list, items: list) -> list:
            nonlocal params
            params = params or select_parameters(task.model, task.output_layers(items))
            with task.loss_mode(), restrict_grad(task.model, params):
                gradients = task.pseudo_gradients(items, keys, params, self.rule)
            return list(
                count_sketch(gradients.cpu(), self.dim, seed).numpy()
            )  # on a GPU sums have no fixed order

        return run_over_pool(query, visit, title='gradients', batch_size=self.batch_size)
