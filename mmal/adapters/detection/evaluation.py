"""Metrics of mmdet's COCO evaluation, complete where nothing was detected, or nothing measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmdet.evaluation import CocoMetric
from mmengine.evaluator import Evaluator

NOT_MEASURED = -1.0
"""What pycocotools gives where there is no box to find, for instance no small one."""


def complete_metrics(
    evaluator: Evaluator, metrics: Mapping[str, float]
) -> tuple[dict[str, float], list[str]]:
    """Complete the metrics of an evaluation.

    mmdet's CocoMetric gives no metric at all where a model detects nothing. It is asked once more,
    with a box outside of an image and of score 0, and so gives the metrics that it would have
    given, each 0 or not measured.

    Every process calls it.

    Args:
        evaluator: What has just evaluated.
        metrics: What it gave.

    Returns:
        The metrics, without those of CocoMetric that were not measured; and the names of those that
        are 0 because nothing was detected.
    """
    complete = dict(metrics)
    empty: list[str] = []
    for metric in evaluator.metrics:
        if not isinstance(metric, CocoMetric) or metric.format_only:
            continue
        names = [name for name in metrics if _is_of(metric, name)]
        if not names:
            found = _metrics_without_detection(metric)
            complete.update(found)
            names = list(found)
            empty += names
        for name in names:
            if complete[name] == NOT_MEASURED:
                del complete[name]
    return complete, [name for name in empty if name in complete]


def _is_of(metric: CocoMetric, name: str) -> bool:
    """Whether a metric's name is one of an evaluator's."""
    return name.startswith(f'{metric.prefix}/') if metric.prefix else '/' not in name


def _metrics_without_detection(metric: CocoMetric) -> dict[str, float]:
    """What a CocoMetric gives for a detection that no box is matched by."""
    image_id: Any = 0
    height, width = 1, 1
    coco = metric._coco_api
    if coco is not None:
        # Other processes than the first may not have read any annotation, and are not asked.
        image_id = next(iter(coco.imgs))
        image = coco.imgs[image_id]
        height, width = image['height'], image['width']
    detection = dict(
        bboxes=torch.tensor([[-2.0, -2.0, -1.0, -1.0]]),
        scores=torch.zeros(1),
        labels=torch.zeros(1, dtype=torch.long),
    )
    if 'segm' in metric.metrics:
        detection['masks'] = torch.zeros(1, height, width, dtype=torch.bool)
    sample = dict(
        img_id=image_id, ori_shape=(height, width), instances=[], pred_instances=detection
    )
    metric.process({}, [sample])
    found: dict[str, float] = metric.evaluate(size=1)
    return found
