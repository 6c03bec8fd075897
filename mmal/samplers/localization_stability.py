"""Localization stability: how far boxes move under pixel noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import box_iou

from mmal.adapters.base import DataAdapter, DetectorAdapter, ImageId, Item
from mmal.errors import InputError
from mmal.registry import SAMPLERS
from mmal.utils.seeding import derive_seed

from .base import BaseSampler, ImageIds, Query, ScoreAndCount, Scores
from .near_copies import MAX_COSINE, NearCopyRule
from .pool_pass import run_over_pool

NO_BOXES = 'LocalizationStabilitySampler is for detectors: a classifier has no boxes.'
"""Why a classifier is refused."""


def stability(boxes: Tensor, scores: Tensor, noisy: Sequence[Tensor]) -> float:
    """Measure how little a detector's boxes move under noise (Kao et al., section 3.2).

    Args:
        boxes: Boxes detected without noise, as corners, shape (n, 4).
        scores: Class probabilities of those boxes, shape (n,), which weight them.
        noisy: For each noise level the boxes detected with it, shape (m, 4). Of them, the one that
            overlaps a box most corresponds to it.

    Returns:
        The weighted mean, over boxes, of the mean IoU over levels, 0 to 1. It is 1 if nothing was
        detected: nothing moved.
    """
    if not len(boxes):
        return 1.0
    best_overlaps = []
    for noisy_boxes in noisy:
        if len(noisy_boxes):
            best_overlaps.append(box_iou(boxes, noisy_boxes).amax(1))
        else:
            best_overlaps.append(boxes.new_zeros(len(boxes)))
    mean_overlap = torch.stack(best_overlaps).mean(0)
    weighted_sum = (mean_overlap * scores).sum()
    return float(weighted_sum / scores.sum())


@SAMPLERS.register_module()
class LocalizationStabilitySampler(BaseSampler):
    """Localization stability: label first where boxes move most under pixel noise.

    This is "LS" of Kao et al. (ACCV 2018). It is for detection only, one-stage and two-stage alike:
    it compares the detector's final boxes. The score is the stability, see :func:`stability`. The
    noise of an image depends on the seed and its id alone, whatever the batch. It is drawn on the
    model's device: a GPU draws other numbers than a CPU.

    Args:
        levels: Standard deviations of the Gaussian noise, in grey levels of 0 to 255. Defaults to
            the paper's six.
        score_thr: Smallest confidence of a prediction that counts, after the detector's own
            ``test_cfg``. Defaults to 0.05.
        max_cosine: Largest cosine, -1 to 1, of the features of two images that are no near-copies.
            A near-copy of a labeled image, or of one that ranks above it, is ranked last, see
            :class:`~mmal.samplers.near_copies.NearCopyRule`. None keeps the plain ranking, and
            saves the features of the labeled images and of a few budgets of the best ones.
            Defaults to 0.9.
        layers: Names of the modules whose outputs are those features. Defaults to None: what goes
            into the last layers.
        batch_size: Number of images per batch. Defaults to None: that of ``val_dataloader``.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        levels: Sequence[float] = (8, 16, 24, 32, 40, 48),
        score_thr: float = 0.05,
        max_cosine: float | None = MAX_COSINE,
        layers: list[str] | None = None,
        batch_size: int | None = None,
    ) -> None:
        levels_fit = bool(levels) and min(levels) > 0
        if not levels_fit or not 0 <= score_thr <= 1:
            raise ValueError(
                'LocalizationStabilitySampler: expected positive levels and 0 <= score_thr <= 1, '
                f'got {levels}, {score_thr}.'
            )
        self.levels = tuple(levels)
        self.score_thr = score_thr
        self.near_copies = NearCopyRule(type(self).__name__, max_cosine, layers, batch_size)
        self.batch_size = batch_size

    def check(self, data: DataAdapter, images: int, model: nn.Module) -> None:
        """Refuse classifiers, and layers that the model does not have.

        Args:
            data: Data side of the run.
            images: Smallest number of images that a query will take.
            model: The model as built from the config, not wrapped.

        Raises:
            InputError: If the run is not one of detection, or a name in ``layers`` is needed and is
                not that of a module.
        """
        if not data.has_boxes:
            raise InputError(NO_BOXES)
        self.near_copies.check(model)

    def score(self, query: Query) -> Scores:
        """Compute the stability of each image.

        Args:
            query: The images to score.

        Returns:
            The stabilities.

        Raises:
            InputError: If the model is not a detector.
        """
        adapter = query.adapter()
        if not isinstance(adapter, DetectorAdapter):
            raise InputError(NO_BOXES)
        detector: DetectorAdapter = adapter
        device = next(adapter.model.parameters()).device

        def predict_batch(ids: ImageIds, items: list[Any]) -> list[ScoreAndCount]:
            items = [_on_device(item, device) for item in items]
            clean = detector.detect(items, self.score_thr)
            noisy = []
            for level in self.levels:
                noisy_items = []
                for image_id, item in zip(ids, items, strict=True):
                    noisy_items.append(self._noisy(item, query.seed, image_id, level))
                noisy.append(detector.detect(noisy_items, self.score_thr))
            findings = []
            for n, detections in enumerate(clean):
                noisy_boxes = [of_level[n].bboxes for of_level in noisy]
                value = stability(detections.bboxes, detections.scores, noisy_boxes)
                findings.append((value, len(detections)))
            return findings

        findings, unreadable = run_over_pool(query, predict_batch, batch_size=self.batch_size)
        scores = Scores.from_findings(findings, unreadable).record_nonfinite(query.logger)
        return self.near_copies.apply(query, scores)

    @staticmethod
    def _noisy(item: Item, seed: int, image_id: ImageId, level: float) -> Item:
        """The dataset item with noise of a level on its pixels, made where these are."""
        noise_seed = derive_seed(seed, f'noise/{image_id!r}/{level}')
        pixels = item['inputs'].float()
        generator = torch.Generator(device=pixels.device).manual_seed(noise_seed)
        normal = torch.randn(pixels.shape, generator=generator, device=pixels.device)
        noisy_pixels = (pixels + level * normal).clamp(0, 255)
        return dict(item, inputs=noisy_pixels)


def _on_device(item: Item, device: torch.device) -> Item:
    """The dataset item with its pixels on a device: they are sent once, not once a level."""
    return dict(item, inputs=item['inputs'].to(device, non_blocking=True))
