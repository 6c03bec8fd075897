"""Annotations of either task, as files and datasets hold them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
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


def by_image(annotations: Iterable[Any]) -> dict[Hashable, list[Any]]:
    """Group annotations by the image they belong to.

    Args:
        annotations: :class:`CocoAnnotation` or :class:`ImageLabel` entries.

    Returns:
        The annotations by image id, in the order they come.
    """
    groups: dict[Hashable, list[Any]] = {}
    for annotation in annotations:
        image_id = annotation['image_id'] if 'image_id' in annotation else annotation['id']
        groups.setdefault(image_id, []).append(annotation)
    return groups
