"""A model's own predictions, in words of the image as it was loaded: what people are shown."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def corners_in_image(found: Any, sample: Any) -> Tensor:
    """Predicted boxes as x1, y1, x2, y2 in pixels of the original image, clipped to it, shape (n, 4).

    Args:
        found: InstanceData with ``bboxes`` in coordinates of the network's input.
        sample: The image's data sample; its ``scale_factor`` and ``ori_shape`` count.
    """
    height, width = sample.ori_shape[:2]
    scale = found.bboxes.new_tensor([float(s) for s in sample.get('scale_factor', (1, 1))[:2]] * 2)
    return (
        (found.bboxes / scale)
        .clamp(min=0)
        .minimum(scale.new_tensor([width, height, width, height]))
    )


def boxes_in_image(found: Any, sample: Any) -> list[dict]:
    """Predicted boxes in pixels of the original image, the most confident first.

    Args:
        found: InstanceData with ``scores`` and ``labels`` beside the ``bboxes`` of :func:`corners_in_image`.
        sample: See there.

    Returns:
        Dicts of ``bbox`` [x, y, w, h], clipped to the image, ``label`` (class index) and ``score``.
    """
    corners = corners_in_image(found, sample)
    order = found.scores.argsort(descending=True, stable=True)
    rows = zip(
        corners[order].tolist(),
        found.labels[order].tolist(),
        found.scores[order].tolist(),
        strict=True,
    )
    return [
        dict(
            bbox=[round(v, 2) for v in (x1, y1, x2 - x1, y2 - y1)],
            label=label,
            score=round(score, 4),
        )
        for (x1, y1, x2, y2), label, score in rows
    ]


def top_labels(p: Tensor, n: int = 5) -> list[dict]:
    """The classes a classifier is surest of, at most ``n``, the most confident first.

    Args:
        p: Probability of each class, shape (C,).
        n: How many.
    """
    values, labels = p.topk(min(n, len(p)))
    return [
        dict(label=label, score=round(value, 4))
        for label, value in zip(labels.tolist(), values.tolist(), strict=True)
    ]
