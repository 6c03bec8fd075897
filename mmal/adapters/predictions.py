"""A model's own predictions in terms of the image as it was loaded: what people are shown."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from mmal.annotation.records import Prediction


def corners_in_image(instances: Any, sample: Any) -> Tensor:
    """Convert predicted boxes to pixels of the original image.

    Args:
        instances: InstanceData with ``bboxes`` (x1, y1, x2, y2) in coordinates of the network's
            input.
        sample: Data sample of the image. Its ``scale_factor`` (width, height) and ``ori_shape``
            (height, width) are read.

    Returns:
        Boxes as x1, y1, x2, y2, clipped to the image, of shape (n, 4).
    """
    height, width = sample.ori_shape[:2]
    x_scale, y_scale = map(float, sample.get('scale_factor', (1, 1))[:2])
    boxes = instances.bboxes
    scale = boxes.new_tensor([x_scale, y_scale, x_scale, y_scale])
    limits = scale.new_tensor([width, height, width, height])
    corners: Tensor = (boxes / scale).clamp(min=0)
    return corners.minimum(limits)


def boxes_in_image(instances: Any, sample: Any) -> list[Prediction]:
    """Convert predicted boxes to what people are shown.

    Args:
        instances: InstanceData with ``scores`` and ``labels`` beside the ``bboxes`` of
            :func:`corners_in_image`.
        sample: Data sample of the image, see :func:`corners_in_image`.

    Returns:
        Boxes [x, y, w, h] in pixels of the original image, clipped to it, with label (class index)
        and score; the most confident first.
    """
    order = instances.scores.argsort(descending=True, stable=True)
    corners = corners_in_image(instances, sample)[order].tolist()
    labels = instances.labels[order].tolist()
    scores = instances.scores[order].tolist()
    predictions = []
    for box, label, score in zip(corners, labels, scores, strict=True):
        prediction = Prediction(bbox=_rounded_sides(*box), label=label, score=round(score, 4))
        predictions.append(prediction)
    return predictions


def _rounded_sides(x1: float, y1: float, x2: float, y2: float) -> list[float]:
    """Corner, width and height of a box, to a hundredth of a pixel."""
    width = x2 - x1
    height = y2 - y1
    return [round(x1, 2), round(y1, 2), round(width, 2), round(height, 2)]


def top_labels(p: Tensor, n: int = 5) -> list[Prediction]:
    """List the classes a classifier is surest of.

    Args:
        p: Probability of each class, of shape (C,).
        n: Largest number of classes. Defaults to 5.

    Returns:
        Label (class index) and score of each, the most confident first.
    """
    values, labels = p.topk(min(n, len(p)))
    predictions = []
    for label, value in zip(labels.tolist(), values.tolist(), strict=True):
        prediction = Prediction(label=label, score=round(value, 4))
        predictions.append(prediction)
    return predictions
