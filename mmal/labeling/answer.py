"""What a file says of one image, before any of it is believed."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Box:
    """A box as a file has it.

    Attributes:
        category: Name of its class.
        bbox: x, y, width, height in pixels of the image; whatever the file holds.
        where: Its place in the file, for messages.
        crowd: COCO's iscrowd.
    """
    category: Any
    bbox: Any
    where: str
    crowd: int = 0


@dataclass(frozen=True)
class Answer:
    """What a file says of one image.

    Attributes:
        image_id: Id the file gives, or None.
        file_name: Name the file gives, or None.
        where: Its place in the file, for messages.
        boxes: Of a detection batch; [] for an image that is said to have none.
        label: Name of the class, or a list of names, of a classification batch.
        state: 'labeled', 'unlabeled' (nothing is said of it), 'unsure' (no box; the format cannot say whether it was
            looked at), or 'skipped' by who was to label it.
        who: Who labeled it, if known.
        seconds: How long that took, if known.
        size: (width, height) the file gives, if any.
    """
    image_id: Hashable | None
    file_name: str | None
    where: str
    boxes: list[Box] = field(default_factory=list)
    label: Any = None
    state: str = 'labeled'
    who: str | None = None
    seconds: float | None = None
    size: tuple | None = None
