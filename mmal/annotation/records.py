"""Annotations of either task, as files and datasets hold them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypedDict


class CocoAnnotation(TypedDict, total=False):
    """One object of an image, as COCO has it.

    Attributes:
        id: Number of the annotation; absent before it is written to a file.
        image_id: Id of the image.
        category_id: Id of the category.
        bbox: x, y, width and height in pixels.
        area: Area in square pixels.
        iscrowd: 1 for a crowd, else 0.
    """

    id: int
    image_id: Hashable
    category_id: int
    bbox: list[float]
    area: float
    iscrowd: int


class ImageLabel(TypedDict):
    """The class of a whole image.

    Attributes:
        id: Id of the image.
        label: Index of the class, or a list of indices where an image may have several classes.
    """

    id: Hashable
    label: int | list[int]


class Prediction(TypedDict, total=False):
    """One prediction of a model on an image.

    Attributes:
        label: Index of the class.
        score: Confidence, from 0 to 1.
        bbox: x, y, width and height in pixels; absent for classes of whole images.
    """

    label: int
    score: float
    bbox: list[float]


class BoxEntry(TypedDict, total=False):
    """One box in ``labels.json``.

    Attributes:
        bbox: x, y, width and height in pixels, inside the image.
        category: Name of the class.
        iscrowd: 1 for a crowd; absent otherwise.
    """

    bbox: list[float]
    category: str
    iscrowd: int


class LabelEntry(TypedDict, total=False):
    """The labels of one image in ``labels.json``.

    Attributes:
        who: Name of the annotator; absent if unknown.
        seconds: Time that labeling took, in seconds; absent if unknown.
        boxes: Boxes of the image, in batches that ask for boxes. An empty list labels the image as
            empty.
        label: Index of the class, or a list of indices where an image may have several classes, in
            batches that ask for classes of whole images.
    """

    who: str
    seconds: float
    boxes: list[BoxEntry]
    label: int | list[int]


def without_nonfinite(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of somebody else's file without what JSON cannot hold.

    Tables that become JSON have NaN where a cell is empty, which Python reads and JSON forbids.

    Args:
        entry: The entry.

    Returns:
        Its values but for numbers that are not finite, which are left out; None stands for those in
        lists.
    """
    kept = {}
    for key, value in entry.items():
        if not _is_nonfinite(value):
            kept[key] = _finite_parts(value)
    return kept


def _is_nonfinite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _finite_parts(value: Any) -> Any:
    """A value without numbers that are not finite in its lists and objects."""
    if isinstance(value, dict):
        return without_nonfinite(value)
    if isinstance(value, list):
        return [None if _is_nonfinite(part) else _finite_parts(part) for part in value]
    return value


def is_box(annotation: Mapping[str, Any]) -> bool:
    """Whether an annotation or a prediction is of an object, rather than of a whole image.

    Args:
        annotation: A :class:`CocoAnnotation`, :class:`ImageLabel` or :class:`Prediction`.
    """
    return 'bbox' in annotation


def by_image(annotations: Iterable[Any]) -> dict[Hashable, list[Any]]:
    """Group annotations by the image they belong to.

    Args:
        annotations: :class:`CocoAnnotation` or :class:`ImageLabel` entries.

    Returns:
        The annotations by image id, in the order they come.
    """
    groups: dict[Hashable, list[Any]] = {}
    for annotation in annotations:
        # The id of an annotation in COCO is its own; the id of a label is that of its image.
        key = 'image_id' if 'image_id' in annotation else 'id'
        image_id = annotation[key]
        groups.setdefault(image_id, []).append(annotation)
    return groups
