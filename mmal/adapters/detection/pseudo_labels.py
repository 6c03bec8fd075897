"""A detector's own predictions as annotations: boxes whose loss gives the expected gradient G_z."""

from __future__ import annotations

from collections.abc import Sequence

from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmal.adapters.base import PseudoLabels

from .transfer import detections_on_cpu

GRID = 0.25
"""Pseudo-boxes lie on this grid, in pixels of the network's input.

Where a prediction is its own target a box loss has a kink (L1, IoU). Its slope would be the sign of
rounding errors, which differ with every batch size.
"""

MIN_SIDE = 1
"""Shortest side of a pseudo-box, in pixels of the network's input, as in mmdet's datasets."""


def pseudo_samples(
    samples: Sequence[DetDataSample],
    instances: Sequence[InstanceData],
    pseudo_labels: PseudoLabels,
) -> list[DetDataSample]:
    """Make the samples of a batch whose ground truth is what a detector predicts.

    Which predictions count is decided on the CPU, since the host must know their number: one
    transfer serves the whole batch.

    Args:
        samples: Data sample of each image.
        instances: Predictions of each image, see :func:`pseudo_sample`.
        pseudo_labels: Which predictions count.

    Returns:
        Samples with ``gt_instances`` on the predictions' device.
    """
    targets = []
    on_cpu = detections_on_cpu(instances)
    for sample, image_instances, found in zip(samples, instances, on_cpu, strict=True):
        target = pseudo_sample(sample, found, pseudo_labels)
        device = image_instances.bboxes.device
        # Not waited for: what reads them runs on the device, after the copy.
        target.gt_instances = target.gt_instances.to(device, non_blocking=True)
        targets.append(target)
    return targets


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
