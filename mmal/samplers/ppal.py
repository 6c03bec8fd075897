from __future__ import annotations

import math

import torch
from mmengine import dist
from torch import Tensor
from torchvision.ops import box_iou

from mmal.adapters.loading import batches, items_or_raise
from mmal.adapters.predictions import corners_in_image
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.errors import InputError
from mmal.pool.order import shuffled
from mmal.registry import SAMPLERS
from mmal.samplers.algorithms.kmedoids import kmedoids
from mmal.samplers.algorithms.matching_similarity import matching_similarity

from .base import Query, Scores
from .pool_pass import run_over_pool
from .uncertainty import entropy


def difficulty_weight(difficulty: Tensor, alpha: float, upper: float) -> Tensor:
    """Weight of a class, 1 to 1 + ``upper``, from its difficulty, 0 to 1 (section 3.2)."""
    return 1 + upper * alpha * torch.log1p((math.exp(1 / alpha) - 1) * difficulty)


@SAMPLERS.register_module()
class PPALSampler:
    """Plug and Play Active Learning (Yang et al., CVPR 2024), for any detector. The score is minus the uncertainty.

    First, difficulty-calibrated uncertainty: the sum over predicted boxes of their entropy (object or not) times the
    weight of their class; small and thin boxes do not count, as in the first authors' code. Of the most uncertain
    images, ``candidates`` times the budget, k-medoids on category-conditioned matching similarity then chooses.

    Departures, the first two of which spare the detector a special head: a class's difficulty is measured on the
    labeled images after training (one minus p^xi IoU^(1-xi) of the best prediction of each labeled box, averaged), not
    tracked during it; a box's feature is read off the feature pyramid; 50 boxes of an image are compared, not 100; and
    k-medoids ends when nothing changes, not after 100 iterations.

    Args:
        candidates: Images the second stage chooses from, in budgets. Defaults to 4.
        score_thr: Predictions at least this confident count. Defaults to 0.05.
        min_size: The uncertainty of a box counts only if the square root of its area is larger, in pixels of the
            original image. Lower it where objects are small. Defaults to 16.
        max_aspect: And only if its longer side is less than so many times the shorter one. Defaults to 5.
        alpha: How fast the weight rises with difficulty. Defaults to 0.3.
        upper: Most a class's weight exceeds 1. Defaults to 0.2.
        xi: Share of confidence, against that of overlap, in a prediction's quality. Defaults to 0.6.
        max_boxes: Boxes of an image that the second stage compares, the most confident. Defaults to 50.
        memory_gb: Most memory for the matrix of the candidates' similarities, in GiB: 16 hold 65,536 candidates.
            Defaults to 16.
        batch_size: Images to a batch. Defaults to None: that of ``val_dataloader``.

    Raises:
        ValueError: If an argument is out of range.
        InputError: If the matrix would not fit.
    """

    needs_s_test = False
    solver = None
    column = 'score'

    def __init__(
        self,
        candidates: int = 4,
        score_thr: float = 0.05,
        min_size: float = 16,
        max_aspect: float = 5,
        alpha: float = 0.3,
        upper: float = 0.2,
        xi: float = 0.6,
        max_boxes: int = 50,
        memory_gb: float = 16,
        batch_size: int | None = None,
    ) -> None:
        if (
            candidates < 1
            or max_boxes < 1
            or not 0 <= score_thr <= 1
            or alpha <= 0
            or upper < 0
            or not 0 <= xi <= 1
        ):
            raise ValueError(
                'PPALSampler: expected candidates, max_boxes >= 1, 0 <= score_thr, xi <= 1, alpha > 0, '
                f'upper >= 0, got {candidates}, {max_boxes}, {score_thr}, {xi}, {alpha}, {upper}.'
            )
        if min_size < 0 or max_aspect <= 1 or memory_gb <= 0:
            raise ValueError(
                'PPALSampler: expected min_size >= 0, max_aspect > 1 and memory_gb > 0, got '
                f'{min_size}, {max_aspect}, {memory_gb}.'
            )
        self.candidates, self.score_thr, self.alpha, self.upper, self.xi = (
            candidates,
            score_thr,
            alpha,
            upper,
            xi,
        )
        self.min_size, self.max_aspect, self.memory_gb = min_size, max_aspect, memory_gb
        self.max_boxes, self.batch_size = max_boxes, batch_size

    def check(self, data, images: int) -> None:
        """Refuse classifiers, and more candidates than the memory holds."""
        if not data.has_boxes:
            raise InputError('PPALSampler is for detectors.')
        self._require_memory(len(data.images), images)

    def _require_memory(self, pool: int, budget: int) -> None:
        n = min(pool, self.candidates * budget)
        if pool > budget and 4 * n * n > self.memory_gb * 2**30:
            raise InputError(
                f'PPALSampler: {n:,} candidates are compared with one another, which takes '
                f'{4 * n * n / 2**30:.1f} GiB, more than train_cfg.sampler.memory_gb = '
                f'{self.memory_gb:g}. Raise it, or lower candidates ({self.candidates} budgets).'
            )

    def score(self, query: Query) -> Scores:
        """Minus the calibrated uncertainty; the medoids are the order, the most uncertain first."""
        task = query.adapter()
        if not hasattr(task, 'detect'):
            raise ValueError('PPALSampler is for detectors.')
        self._require_memory(len(query.ids), query.budget)
        weights = difficulty_weight(self._difficulty(query, task), self.alpha, self.upper)

        def visit(keys: list, items: list) -> list:
            found = task.detect(items, self.score_thr)
            return [
                (-self._uncertainty(f[self._counts(f, item['data_samples'])], weights), len(f))
                for f, item in zip(found, items, strict=True)
            ]

        found, unreadable = run_over_pool(query, visit, batch_size=self.batch_size)
        scores = Scores(
            {i: value for i, (value, _) in found.items()},
            unreadable=unreadable,
            pseudo_boxes={i: n for i, (_, n) in found.items()},
        ).record_nonfinite(query.logger)
        candidates = run_on_rank_zero(
            lambda: [
                i
                for i in scores.ranking(query.seed, f'ties/{query.round}')
                if math.isfinite(scores.value[i])
            ][: self.candidates * query.budget]
        )
        scores.order = self._spread(query, task, candidates)
        return scores

    def _counts(self, found, sample) -> Tensor:
        """Which boxes are neither too small nor too thin, shape (n,)."""
        corners = corners_in_image(found, sample)
        sides = corners[:, 2:] - corners[:, :2]
        return (sides.prod(1).sqrt() > self.min_size) & (
            sides.amax(1) < self.max_aspect * sides.amin(1)
        )

    @staticmethod
    def _uncertainty(found, weights: Tensor) -> float:
        outcomes = torch.stack([found.scores, 1 - found.scores], 1).double()
        return float((entropy(outcomes) * weights.to(found.scores.device)[found.labels]).sum())

    def _difficulty(self, query: Query, task) -> Tensor:
        """One minus the mean quality of each class's labeled boxes, shape (classes,); 1 where there is none."""
        dataset = query.labeled_images()
        n = len(dataset.metainfo['classes'])
        total, count = torch.zeros(n, dtype=torch.double), torch.zeros(n, dtype=torch.double)
        mine = list(range(len(dataset)))[dist.get_rank() :: dist.get_world_size()]
        for batch in batches(dataset, mine, self.batch_size or query.batch_size, query.num_workers):
            items = items_or_raise(batch, 'labeled set')
            for item, found in zip(items, task.detect(items, self.score_thr), strict=True):
                truth = item['data_samples'].gt_instances
                quality = self._quality(truth, found)
                total.index_add_(0, truth.labels, quality)
                count.index_add_(0, truth.labels, torch.ones_like(quality))
        parts = dist.all_gather_object((total, count))
        total, count = (sum(p) for p in zip(*parts, strict=True))
        return 1 - total / count.clamp(min=1)

    def _quality(self, truth, found) -> Tensor:
        """Quality of the best prediction of each labeled box, shape (n,)."""
        boxes = truth.bboxes.tensor if hasattr(truth.bboxes, 'tensor') else truth.bboxes
        if not len(boxes) or not len(found):
            return torch.zeros(len(boxes), dtype=torch.double)
        iou = box_iou(boxes.to(found.bboxes), found.bboxes).cpu().double()
        same = truth.labels[:, None] == found.labels.cpu()[None]
        quality = found.scores.cpu().double()[None] ** self.xi * iou ** (1 - self.xi)
        return (quality * same).amax(1)

    def _spread(self, query: Query, task, ranking: list) -> list:
        """The medoids of the candidates, in the order of ``ranking``."""

        def visit(keys: list, items: list) -> list:
            found = []
            for f in task.detect(items, self.score_thr, with_features=True):
                top = f.scores.argsort(descending=True, stable=True)[: self.max_boxes]
                found.append(tuple(t[top].cpu().numpy() for t in (f.features, f.scores, f.labels)))
            return found

        if len(ranking) <= query.budget:
            return ranking
        found, _ = run_over_pool(query, visit, ranking, 'matching', self.batch_size)
        ids = [i for i in ranking if i in found]
        if not ids:
            return []
        parts = ([torch.from_numpy(found[i][k]) for i in ids] for k in range(3))
        first = ids.index(shuffled(ids, query.seed, f'ppal/{query.round}')[0])
        distance = matching_similarity(*parts).neg_().add_(1)
        chosen = kmedoids(distance, query.budget, first)
        return [ids[row] for row in sorted(chosen)]
