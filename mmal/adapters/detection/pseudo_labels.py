"""A detector's own predictions as annotations: boxes whose loss gives the expected gradient G_z."""

from __future__ import annotations

from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmal.adapters.base import PseudoLabels

GRID = 0.25
"""Pseudo-boxes lie on this grid, in pixels of the network's input.

Where a prediction is its own target a box loss has a kink (L1, IoU). Its slope would be the sign of
rounding errors, which differ with every batch size.
"""

MIN_SIDE = 1
"""Shortest side of a pseudo-box, in pixels of the network's input, as in mmdet's datasets."""


def pseudo_sample(
    sample: DetDataSample, instances: InstanceData, pseudo_labels: PseudoLabels
) -> DetDataSample:
    """Make the sample of an image whose ground truth is what a detector predicts.

    Args:
        sample: Data sample of the image. Its metainfo is copied, its own annotations are not.
        instances: Predictions in coordinates of the network's input, after the detector's own
            ``test_cfg``.
        pseudo_labels: Which predictions count.

    Returns:
        A sample with ``gt_instances``, in the order of ``instances``.
    """
    cells = instances.bboxes.detach() / GRID
    boxes = cells.round() * GRID
    counted = instances.scores >= pseudo_labels.score_thr
    if len(boxes):
        sides = boxes[:, 2:] - boxes[:, :2]
        counted &= sides.amin(1) >= MIN_SIDE
    rows = counted.nonzero()[:, 0]
    target = DetDataSample(metainfo=sample.metainfo)
    target.gt_instances = InstanceData(bboxes=boxes[rows], labels=instances.labels[rows])
    return target
