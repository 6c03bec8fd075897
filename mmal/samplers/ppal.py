"""PPAL: calibrated uncertainty, then diversity by the objects of images."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import torch
from mmengine import dist
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.ops import box_iou

from mmal.adapters.base import DataAdapter, DetectorAdapter
from mmal.adapters.loading import batches, items_or_raise
from mmal.adapters.predictions import corners_in_image
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.errors import InputError
from mmal.pool.order import shuffled
from mmal.registry import SAMPLERS

from .algorithms.kmedoids import kmedoids
from .algorithms.matching_similarity import matching_similarity
from .base import BaseSampler, ImageIds, Query, ScoreAndCount, Scores
from .features import known_ids
from .placement import device_with_room
from .pool_pass import run_over_pool
from .uncertainty import entropy

_Objects: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Features, scores and labels of the objects of one image."""

NO_BOXES = 'PPALSampler is for detectors.'
"""Why a classifier is refused."""


def difficulty_weight(difficulty: Tensor, alpha: float, upper: float) -> Tensor:
    r"""Compute the weight of each class from its difficulty (section 3.2).

    .. math:: w = 1 + \beta \alpha \log(1 + (e^{1 / \alpha} - 1) d)

    Args:
        difficulty: d of each class, 0 to 1, shape (classes,).
        alpha: How fast the weight rises with difficulty.
        upper: beta, by which a weight exceeds 1 at most.

    Returns:
        Weights from 1 to 1 + ``upper``, shape (classes,).
    """
    growth = math.exp(1 / alpha) - 1
    return 1 + upper * alpha * torch.log1p(growth * difficulty)


@SAMPLERS.register_module()
class PPALSampler(BaseSampler):
    """Plug and Play Active Learning (Yang et al., CVPR 2024), for any detector.

    The score is minus the uncertainty. First comes difficulty-calibrated uncertainty: the sum over
    predicted boxes of their entropy (object or not) times the weight of their class. Small and thin
    boxes do not count, as in the first authors' code. Then k-medoids on category-conditioned
    matching similarity chooses among the most uncertain images, which are ``candidates`` times the
    budget.

    It departs from the paper in four points, of which the first two spare the detector a special
    head:

    - A class's difficulty is measured on the labeled images after training, not tracked during it.
      It is one minus p^xi IoU^(1-xi) of the best prediction of each labeled box, averaged.
    - A box's feature is read off the feature pyramid.
    - 50 boxes of an image are compared, not 100.
    - k-medoids ends when nothing changes, not after 100 iterations.

    The uncertainty of an image is a *sum* over its boxes, so that it depends on how many are kept.
    As in the first authors' code for COCO, the pass that measures it has its own settings:
    ``nms_pre``, ``iou_threshold`` and ``max_per_img`` replace those of the detector's ``test_cfg``
    (its last stage's, and only where it has NMS and such an entry), which all else keeps.

    Args:
        candidates: Number of images that the second stage chooses from, in budgets. Defaults to 4.
        score_thr: Smallest confidence of a prediction that counts. Defaults to 0.05.
        min_size: The uncertainty of a box counts only if the square root of its area is larger than
            this, in pixels of the original image. Lower it where objects are small. Defaults to 16.
        max_aspect: The uncertainty of a box counts only if its longer side is less than this many
            times the shorter one. Defaults to 5.
        alpha: How fast the weight of a class rises with its difficulty. Defaults to 0.3.
        upper: Largest amount by which the weight of a class exceeds 1. Defaults to 0.2.
        xi: Share of confidence, against that of overlap, in a prediction's quality. Defaults to
            0.6.
        max_boxes: Number of boxes of an image that the second stage compares, the most confident
            ones. Defaults to 50.
        nms_pre: Boxes a pyramid level that NMS gets in the pass over uncertainty. None: the
            detector's own. Defaults to 3000.
        iou_threshold: Overlap, above 0 to 1, from which NMS drops a box there. None: the detector's
            own. Defaults to 0.6.
        max_per_img: Boxes that are kept of an image there. None: the detector's own. Defaults to
            200.
        memory_gb: Largest size of the matrix of the candidates' similarities, in GiB. 16 hold
            65,536 candidates. Defaults to 16.
        batch_size: Number of images per batch. Defaults to None: that of ``val_dataloader``.

    Raises:
        ValueError: If an argument is out of range.
    """

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
        nms_pre: int | None = 3000,
        iou_threshold: float | None = 0.6,
        max_per_img: int | None = 200,
        memory_gb: float = 16,
        batch_size: int | None = None,
    ) -> None:
        counts_fit = candidates >= 1 and max_boxes >= 1
        shares_fit = 0 <= score_thr <= 1 and 0 <= xi <= 1
        if not (counts_fit and shares_fit and alpha > 0 and upper >= 0):
            raise ValueError(
                'PPALSampler: expected candidates, max_boxes >= 1, 0 <= score_thr, xi <= 1, '
                f'alpha > 0, upper >= 0, got {candidates}, {max_boxes}, {score_thr}, {xi}, '
                f'{alpha}, {upper}.'
            )
        if min_size < 0 or max_aspect <= 1 or memory_gb <= 0:
            raise ValueError(
                'PPALSampler: expected min_size >= 0, max_aspect > 1 and memory_gb > 0, got '
                f'{min_size}, {max_aspect}, {memory_gb}.'
            )
        if not all(count is None or count >= 1 for count in (nms_pre, max_per_img)):
            raise ValueError(
                'PPALSampler: expected nms_pre, max_per_img >= 1 or None, got '
                f'{nms_pre}, {max_per_img}.'
            )
        if iou_threshold is not None and not 0 < iou_threshold <= 1:
            raise ValueError(
                f'PPALSampler: expected 0 < iou_threshold <= 1 or None, got {iou_threshold}.'
            )
        self.candidates = candidates
        self.score_thr = score_thr
        self.min_size = min_size
        self.max_aspect = max_aspect
        self.alpha = alpha
        self.upper = upper
        self.xi = xi
        self.max_boxes = max_boxes
        self.nms_pre = nms_pre
        self.iou_threshold = iou_threshold
        self.max_per_img = max_per_img
        self.memory_gb = memory_gb
        self.batch_size = batch_size

    def check(self, data: DataAdapter, images: int, model: nn.Module) -> None:
        """Refuse classifiers, and more candidates than the memory holds.

        Args:
            data: Data side of the run.
            images: Smallest number of images that a query will take.
            model: The model as built from the config, not wrapped.

        Raises:
            InputError: If the run is not one of detection, or the matrix of similarities would not
                fit.
        """
        if not data.has_boxes:
            raise InputError(NO_BOXES)
        self._require_memory(len(data.images), images)

    def _require_memory(self, pool: int, budget: int) -> None:
        """Refuse a matrix of the candidates' similarities (float32) that does not fit."""
        n = min(pool, self.candidates * budget)
        matrix_gb = 4 * n * n / 2**30
        if pool > budget and matrix_gb > self.memory_gb:
            raise InputError(
                f'PPALSampler: {n:,} candidates are compared with one another, which takes '
                f'{matrix_gb:.1f} GiB, more than train_cfg.sampler.memory_gb = '
                f'{self.memory_gb:g}. Raise it, or lower candidates ({self.candidates} budgets).'
            )

    def score(self, query: Query) -> Scores:
        """Compute the calibrated uncertainty of each image, and the medoids of the most uncertain.

        Args:
            query: The images to score, the labeled ones, and the budget.

        Returns:
            Minus the uncertainties. The medoids are the order, the most uncertain first.

        Raises:
            InputError: If the model is not a detector, or the matrix of similarities would not fit.
        """
        adapter = query.adapter()
        if not isinstance(adapter, DetectorAdapter):
            raise InputError(NO_BOXES)
        self._require_memory(len(query.ids), query.budget)
        scores = self._uncertainties(query, adapter)
        n_candidates = self.candidates * query.budget

        def most_uncertain() -> ImageIds:
            ranking = scores.finite_ranking(query.seed, f'ties/{query.round}')
            return ranking[:n_candidates]

        candidates = run_on_rank_zero(most_uncertain)
        scores.order = self._choose_medoids(query, adapter, candidates)
        return scores

    # --- first stage: uncertainty calibrated by the difficulty of classes -----------------------

    def _uncertainties(self, query: Query, detector: DetectorAdapter) -> Scores:
        """Minus the calibrated uncertainty of each image."""
        difficulty = self._difficulty(query, detector)
        weights = difficulty_weight(difficulty, self.alpha, self.upper)

        def predict_batch(ids: ImageIds, items: list[Any]) -> list[ScoreAndCount]:
            findings = []
            detections_by_item = detector.detect(items, self.score_thr)
            for item, detections in zip(items, detections_by_item, strict=True):
                is_counted = self._counts(detections, item['data_samples'])
                uncertainty = self._uncertainty(detections[is_counted], weights)
                findings.append((-uncertainty, len(detections)))
            return findings

        with detector.nms_settings(self.nms_pre, self.iou_threshold, self.max_per_img):
            findings, unreadable = run_over_pool(query, predict_batch, batch_size=self.batch_size)
        return Scores.from_findings(findings, unreadable).record_nonfinite(query.logger)

    def _counts(self, detections: Any, sample: Any) -> Tensor:
        """Which boxes are neither too small nor too thin, shape (n,)."""
        corners = corners_in_image(detections, sample)
        x1, y1, x2, y2 = corners.unbind(1)
        width = x2 - x1
        height = y2 - y1
        longer = torch.maximum(width, height)
        shorter = torch.minimum(width, height)
        is_large = (width * height).sqrt() > self.min_size
        is_wide = longer < self.max_aspect * shorter
        return is_large & is_wide

    @staticmethod
    def _uncertainty(detections: Any, weights: Tensor) -> float:
        """Sum of the boxes' entropies, each times the weight of its class."""
        p = detections.scores
        outcomes = torch.stack([p, 1 - p], 1).double()
        box_weights = weights[detections.labels]
        weighted = entropy(outcomes) * box_weights
        return float(weighted.sum())

    def _difficulty(self, query: Query, detector: DetectorAdapter) -> Tensor:
        """One minus the mean quality of each class's labeled boxes, shape (classes,); else 1."""
        dataset: Any = query.labeled_images()
        n_classes = len(dataset.metainfo['classes'])
        total = torch.zeros(n_classes, dtype=torch.double)
        count = torch.zeros(n_classes, dtype=torch.double)
        own_rows = range(dist.get_rank(), len(dataset), dist.get_world_size())
        size = self.batch_size or query.batch_size
        for batch in batches(dataset, own_rows, size, query.num_workers):
            items = items_or_raise(batch, 'labeled set')
            detections_by_item = detector.detect(items, self.score_thr)
            for item, detections in zip(items, detections_by_item, strict=True):
                truth = item['data_samples'].gt_instances
                quality = self._quality(truth, detections)
                total.index_add_(0, truth.labels, quality)
                count.index_add_(0, truth.labels, torch.ones_like(quality))
        overall_total = torch.zeros_like(total)
        overall_count = torch.zeros_like(count)
        for rank_total, rank_count in dist.all_gather_object((total, count)):
            overall_total += rank_total
            overall_count += rank_count
        return 1 - overall_total / overall_count.clamp(min=1)

    def _quality(self, truth: Any, detections: Any) -> Tensor:
        """Quality of the best prediction of each labeled box, shape (n,)."""
        boxes = truth.bboxes
        if hasattr(boxes, 'tensor'):
            boxes = boxes.tensor
        if not len(boxes) or not len(detections):
            return torch.zeros(len(boxes), dtype=torch.double)
        iou = box_iou(boxes.to(detections.bboxes), detections.bboxes)
        overlap = iou.double()
        confidence = detections.scores.double()
        quality = confidence[None] ** self.xi * overlap ** (1 - self.xi)
        is_same_class = truth.labels[:, None] == detections.labels[None]
        best: Tensor = (quality * is_same_class).amax(1)
        return best

    # --- second stage: diversity ----------------------------------------------------------------

    def _choose_medoids(
        self, query: Query, detector: DetectorAdapter, ranking: ImageIds
    ) -> ImageIds:
        """The medoids of the candidates, in the order of ``ranking``."""

        def predict_batch(ids: ImageIds, items: list[Any]) -> list[_Objects]:
            findings = []
            for detections in detector.detect(items, self.score_thr, with_features=True):
                order = detections.scores.argsort(descending=True, stable=True)
                top = order[: self.max_boxes]
                features = detections.features[top].numpy()
                scores = detections.scores[top].numpy()
                labels = detections.labels[top].numpy()
                findings.append((features, scores, labels))
            return findings

        if len(ranking) <= query.budget:
            return ranking
        findings, _ = run_over_pool(query, predict_batch, ranking, 'matching', self.batch_size)
        ids = known_ids(ranking, findings)
        # Only rank 0 has findings.
        if not ids:
            return []
        # The matrix of similarities, and what is made on the way.
        device = device_with_room(query.adapter().model, 3 * 4 * len(ids) ** 2)
        features = []
        scores = []
        labels = []
        for image_id in ids:
            image_features, image_scores, image_labels = findings[image_id]
            features.append(torch.from_numpy(image_features).to(device))
            scores.append(torch.from_numpy(image_scores).to(device))
            labels.append(torch.from_numpy(image_labels).to(device))
        similarity = matching_similarity(features, scores, labels)
        # In place: the matrix may fill the memory.
        distance = similarity.neg_().add_(1)
        order = shuffled(ids, query.seed, f'ppal/{query.round}')
        medoids = kmedoids(distance, query.budget, ids.index(order[0]))
        return [ids[row] for row in sorted(medoids)]
