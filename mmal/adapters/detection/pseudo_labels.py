"""A detector's own predictions as annotations: the boxes whose loss gives the expected gradient G_z."""

from __future__ import annotations

from mmcv.ops import nms
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmal.adapters.base import PseudoLabels

GRID = 0.25
"""Pseudo-boxes lie on this grid, in pixels of the network input. Where a prediction is its own target a box loss has a
kink (L1, IoU), and its slope would be the sign of rounding errors, another with every batch size."""

SAME_OBJECT = 0.5
"""Boxes of different classes that overlap more than this IoU are one object, if classes do not count."""


def pseudo_sample(sample: DetDataSample, found: InstanceData, rule: PseudoLabels) -> DetDataSample:
    """The sample of an image with predictions as its ground truth, in network coordinates; never its own annotations.

    Args:
        sample: For its metainfo.
        found: Predictions, after the detector's own ``test_cfg``.
        rule: Which of them count.
    """
    boxes = (found.bboxes.detach() / GRID).round() * GRID
    wide = (boxes[:, 2:] - boxes[:, :2]).amin(1) >= 1 if len(boxes) else found.scores > 1
    keep = ((found.scores >= rule.score_thr) & wide).nonzero()[
        :, 0
    ]  # mmdet's datasets drop thinner boxes as well
    keep = keep[found.scores[keep].argsort(descending=True, stable=True)]
    if rule.class_agnostic and len(keep):
        keep = keep[nms(boxes[keep].float(), found.scores[keep].float(), SAME_OBJECT)[1]]
    keep = keep[: rule.max_boxes].sort()[0]
    target = DetDataSample(metainfo=sample.metainfo)
    target.gt_instances = InstanceData(bboxes=boxes[keep], labels=found.labels[keep])
    return target
