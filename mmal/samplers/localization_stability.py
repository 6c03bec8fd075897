from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import box_iou

from mmal.registry import SAMPLERS
from mmal.utils.seeding import derive_seed

from .base import Query, Scores
from .pool_pass import run_over_pool


def stability(boxes: Tensor, scores: Tensor, noisy: Sequence[Tensor]) -> float:
    """How little a detector's boxes move under noise, 0 to 1 (Kao et al., section 3.2).

    Args:
        boxes: Detected without noise, shape (n, 4).
        scores: Their class probabilities, shape (n,): their weights.
        noisy: Boxes detected at each noise level, shape (m, 4). The one that overlaps most corresponds.

    Returns:
        The weighted mean, over boxes, of the mean IoU over levels; 1 if nothing was detected: nothing moved.
    """
    if not len(boxes):
        return 1.0
    best = [box_iou(boxes, b).amax(1) if len(b) else boxes.new_zeros(len(boxes)) for b in noisy]
    return float((torch.stack(best).mean(0) * scores).sum() / scores.sum())


@SAMPLERS.register_module()
class LocalizationStabilitySampler:
    """Localization stability (Kao et al., ACCV 2018, "LS"): label first where boxes move most under pixel noise.

    Detection only, one-stage and two-stage alike: what counts are the detector's final boxes. The score is the
    stability, see :func:`stability`. The noise of an image depends on the seed and its id alone.

    Args:
        levels: Standard deviations of the Gaussian noise, in grey levels of 0 to 255. Defaults to the paper's six.
        score_thr: Predictions at least this confident count, after the detector's own ``test_cfg``. Defaults to 0.05.
        batch_size: Images to a batch. Defaults to None: that of ``val_dataloader``.

    Raises:
        ValueError: If an argument is out of range.
    """

    needs_s_test = False
    solver = None
    column = 'score'

    def __init__(
        self,
        levels: Sequence[float] = (8, 16, 24, 32, 40, 48),
        score_thr: float = 0.05,
        batch_size: int | None = None,
    ) -> None:
        if not levels or min(levels) <= 0 or not 0 <= score_thr <= 1:
            raise ValueError(
                'LocalizationStabilitySampler: expected positive levels and 0 <= score_thr <= 1, got '
                f'{levels}, {score_thr}.'
            )
        self.levels, self.score_thr, self.batch_size = tuple(levels), score_thr, batch_size

    def score(self, query: Query) -> Scores:
        """The stability of each image."""
        task = query.adapter()
        if not hasattr(task, 'detect'):
            raise ValueError(
                'LocalizationStabilitySampler is for detectors: a classifier has no boxes.'
            )

        def visit(keys: list, items: list) -> list:
            clean = task.detect(items, self.score_thr)
            noisy = [
                task.detect(
                    [
                        self._noisy(item, query.seed, key, level)
                        for key, item in zip(keys, items, strict=True)
                    ],
                    self.score_thr,
                )
                for level in self.levels
            ]
            return [
                (stability(c.bboxes, c.scores, [level[i].bboxes for level in noisy]), len(c))
                for i, c in enumerate(clean)
            ]

        found, unreadable = run_over_pool(query, visit, batch_size=self.batch_size)
        return Scores(
            {i: value for i, (value, _) in found.items()},
            pseudo_boxes={i: n for i, (_, n) in found.items()},
            unreadable=unreadable,
        ).record_nonfinite(query.logger)

    @staticmethod
    def _noisy(item: dict, seed: int, key, level: float) -> dict:
        generator = torch.Generator().manual_seed(derive_seed(seed, f'noise/{key!r}/{level}'))
        pixels = item['inputs'].float()
        return dict(
            item,
            inputs=(pixels + level * torch.randn(pixels.shape, generator=generator)).clamp(0, 255),
        )
