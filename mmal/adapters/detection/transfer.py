"""Detections of a batch, brought to the CPU by one transfer: the host waits for each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData


def detections_on_cpu(detections: Sequence[InstanceData]) -> list[InstanceData]:
    """Bring the detections of several images to the CPU.

    Args:
        detections: For each image ``bboxes`` of shape (n, 4), ``scores`` and ``labels`` of shape
            (n,).

    Returns:
        The same fields on the CPU, without a graph, and no others.
    """
    if not detections:
        return []
    fields = []
    for image in detections:
        scores = image.scores[:, None].double()
        labels = image.labels[:, None].double()
        # float64 holds all three exactly
        fields.append(torch.cat([image.bboxes.double(), scores, labels], 1))
    sizes = [len(table) for table in fields]
    tables = torch.split(torch.cat(fields).detach().cpu(), sizes)
    on_cpu = []
    for image, table in zip(detections, tables, strict=True):
        found = InstanceData(
            bboxes=table[:, :4].to(image.bboxes.dtype),
            scores=table[:, 4].to(image.scores.dtype),
            labels=table[:, 5].to(image.labels.dtype),
        )
        on_cpu.append(found)
    return on_cpu
