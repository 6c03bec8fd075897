"""COCO's metrics, and the mean over the rarest classes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS


def rarest_classes(ann_file: Path, n: int) -> list[str]:
    """Names of the classes with the fewest boxes in a COCO file, the rarest first.

    Args:
        ann_file: The file.
        n: How many. Of classes with as many boxes the first by name is taken.
    """
    coco = json.loads(ann_file.read_text())
    boxes = Counter(annotation['category_id'] for annotation in coco['annotations'])
    ranked = sorted(coco['categories'], key=lambda c: (boxes[c['id']], c['name']))
    return [category['name'] for category in ranked[:n]]


@METRICS.register_module()
class RareClassCocoMetric(CocoMetric):  # type: ignore[misc]  # the host is untyped
    """CocoMetric with the AP of each class, and ``bbox_mAP_rare``, their mean over rare classes.

    A class without a box in the evaluated set has no AP and is in no mean.

    Args:
        rare_in: COCO file whose boxes say which classes are rare, for instance that of the pool.
        n_rare: How many classes are called rare. Defaults to 10.
        kwargs: Arguments of CocoMetric, but ``classwise``.
    """

    def __init__(self, rare_in: str, n_rare: int = 10, **kwargs: Any) -> None:
        super().__init__(classwise=True, **kwargs)
        self.rare_in = rare_in
        self.n_rare = n_rare

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """CocoMetric's, and ``bbox_mAP_rare`` where anything was detected.

        Args:
            results: Processed results of the images.
        """
        metrics: dict[str, float] = super().compute_metrics(results)
        if metrics:
            names = rarest_classes(Path(self.rare_in), self.n_rare)
            values = [metrics[f'{name}_precision'] for name in names]
            metrics['bbox_mAP_rare'] = float(np.nanmean(values))
        return metrics
