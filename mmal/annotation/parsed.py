"""What a file says of one image, before any of it is believed."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from numbers import Real
from reprlib import Repr
from typing import Any

ROTATED = 'is rotated, and detectors of upright boxes cannot learn that. Draw it upright.'
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 200


@dataclass(frozen=True)
class ParsedBox:
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
class ParsedImage:
    """What a file says of one image.

    Attributes:
        image_id: Id the file gives, or None.
        file_name: Name the file gives, or None.
        where: Its place in the file, for messages.
        boxes: Of a detection batch; [] for an image that is said to have none.
        labels: Names of its classes, of a classification batch.
        state: 'labeled', 'unlabeled' (nothing is said of it), 'unsure' (the format cannot say whether anybody looked at
            it), or 'skipped' by who was to label it.
        who: Who labeled it, if known.
        seconds: How long that took, if known.
        size: (width, height) the file gives, if any.
        address: Where the image lies, of a file that gives neither id nor name.
    """

    image_id: Hashable | None
    file_name: str | None
    where: str
    boxes: list[ParsedBox] = field(default_factory=list)
    labels: list = field(default_factory=list)
    state: str = 'labeled'
    who: str | None = None
    seconds: float | None = None
    size: tuple | None = None
    address: str | None = None


def finite_float(value: Any) -> float | None:
    """A finite number as a float; None for anything else: text, true, NaN, or a whole number beyond all floats."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def short_repr(value: Any) -> str:
    """A value of a file in a message, however long it is."""
    return _SHORT.repr(value)


def is_object_list(value: Any) -> bool:
    """Whether it is a list of JSON objects."""
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
