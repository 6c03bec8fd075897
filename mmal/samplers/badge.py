from __future__ import annotations

import math

import torch
from torch import Tensor

from ..influence import restrict_grad, select_parameters
from ..pool import derive_seed, in_order
from ..registry import SAMPLERS
from ..tasks.base import PseudoLabels
from .base import Query, Scores
from .features import stacked
from .sweep import sweep


def count_sketch(gradients: Tensor, dim: int, seed: int) -> Tensor:
    """Vectors of shape (N, P) as (N, dim), with the same inner products on average; as they are where P <= dim.

    Each coordinate is added, with a random sign, to a random one of ``dim`` (Charikar, Chen & Farach-Colton, 2002).
    """
    size = gradients.shape[1]
    if size <= dim:
        return gradients
    generator = torch.Generator().manual_seed(seed)
    bucket = torch.randint(dim, (size, ), generator=generator)
    sign = torch.randint(2, (size, ), generator=generator) * 2.0 - 1
    return gradients.new_zeros(len(gradients), dim).index_add_(1, bucket, gradients * sign.to(gradients))


def kmeans_pp(points: Tensor, k: int, seed: int) -> tuple[list[int], Tensor]:
    """Seeding of k-means++ (Arthur & Vassilvitskii, 2007), beginning with the longest vector as BADGE does.

    Args:
        points: Shape (N, D).
        k: How many to draw; all if there are fewer.
        seed: Of the draws.

    Returns:
        Rows in the order drawn, and every point's squared distance to the nearest of them, shape (N,).
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = [int(points.norm(dim=1).argmax())]
    nearest = points.new_full((len(points), ), torch.inf)
    free = torch.ones(len(points), dtype=torch.bool)
    while True:
        at = chosen[-1]
        free[at] = False
        to_it = torch.cdist(points, points[at:at + 1], compute_mode='donot_use_mm_for_euclid_dist')[:, 0]
        nearest = torch.minimum(nearest, to_it.square())
        if len(chosen) >= min(k, len(points)):
            return chosen, nearest
        weight = nearest.double() * free
        if not bool(weight.any()):  # copies of what was drawn are all that is left
            weight = free.double()
        chosen.append(int(torch.multinomial(weight, 1, generator=generator)))


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

    def __init__(self, dim: int = 2048, score_thr: float = 0.1, batch_size: int | None = None) -> None:
        if dim < 1 or not 0 <= score_thr <= 1:
            raise ValueError(f'BadgeSampler: expected dim >= 1 and 0 <= score_thr <= 1, got {dim}, {score_thr}.')
        self.dim, self.rule, self.batch_size = dim, PseudoLabels(score_thr=score_thr), batch_size

    def score(self, query: Query) -> Scores:
        """Minus the squared distance to what was drawn; the drawn ones are the order."""
        found, unreadable = self._gradients(query)
        ids, points = stacked(found, in_order(query.ids))
        value, order = {i: math.nan for i in query.ids if i in found}, []
        if ids:
            rows, distance = kmeans_pp(points, query.budget, derive_seed(query.seed, f'badge/{query.round}'))
            value.update(zip(ids, (-distance).tolist(), strict=True))
            order = [ids[row] for row in rows]
        return Scores(value, order, unreadable=unreadable).mark_nonfinite(query.logger)

    def _gradients(self, query: Query) -> tuple[dict, dict]:
        task, params = query.task(), {}
        seed = derive_seed(query.seed, 'badge/sketch')

        def visit(keys: list, items: list) -> list:
            nonlocal params
            params = params or select_parameters(task.model, task.output_layers(items))
            with task.loss_mode(), restrict_grad(task.model, params):
                gradients = task.pseudo_gradients(items, keys, params, self.rule)
            return list(count_sketch(gradients.cpu(), self.dim, seed).numpy())  # on a GPU sums have no fixed order

        return sweep(query, visit, title='gradients', batch_size=self.batch_size)
