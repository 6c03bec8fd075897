"""What a file says about images, before any of it is believed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from numbers import Real
from reprlib import Repr
from typing import Any, Literal, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
"""An object of somebody else's JSON file: any key may be missing, any value of any type."""
LabelState: TypeAlias = Literal['labeled', 'unlabeled', 'unsure', 'skipped']
"""What a file says about whether an image is labeled.

'unlabeled': it says nothing about the image. 'unsure': its format cannot say whether anybody looked
at the image. 'skipped': the annotator skipped the image.
"""

ROTATED = 'is rotated, and detectors of upright boxes cannot learn that. Draw it upright.'
"""The fault of a rotated box."""

_SHORT_REPR = Repr()
_SHORT_REPR.maxstring = 200
_SHORT_REPR.maxother = 200


@dataclass(frozen=True)
class ParsedBox:
    """A box as a file has it.

    Attributes:
        category: Name of the class; whatever the file holds.
        bbox: x, y, width and height in pixels of the image; whatever the file holds.
        where: Place in the file, for messages.
        crowd: COCO's iscrowd, 0 or 1. Defaults to 0.
        entry: The whole annotation of a COCO file, which may have a mask, too. Defaults to None.
    """

    category: Any
    bbox: Any
    where: str
    crowd: int = 0
    entry: JsonObject | None = None


@dataclass(frozen=True)
class ParsedImage:
    """What a file says about one image.

    Attributes:
        image_id: Id that the file gives, or None.
        file_name: Name that the file gives, or None.
        where: Place in the file, for messages.
        boxes: Boxes, in a batch that asks for boxes. An empty list means that the image has none.
        labels: Names of the classes, in a batch that asks for classes of whole images.
        state: Whether the image is labeled. Defaults to 'labeled'.
        who: Name of the annotator. Defaults to None: unknown.
        seconds: Time that labeling took, in seconds. Defaults to None: unknown.
        size: Width and height that the file gives; either may be None. Defaults to None: it gives
            neither.
        address: Where the image lies, in a file that gives neither id nor name. Defaults to None:
            unknown.
    """

    image_id: Hashable | None
    file_name: str | None
    where: str
    boxes: list[ParsedBox] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    state: LabelState = 'labeled'
    who: str | None = None
    seconds: float | None = None
    size: tuple[Any, Any] | None = None
    address: str | None = None


@dataclass(frozen=True)
class ParsedFile:
    """What a file, or the export of a server, says about images.

    Attributes:
        images: The images that it has something to say about.
        problems: What is wrong with the file, one line per fault, each with its place and what to
            do.
        other_batches: Number of tasks that were passed over, by the name of the batch they were
            made for.
        classes: Class names in the order of the file, where it lists them. Defaults to none.
        notes: What was made good or passed over, one sentence without a full stop each. Defaults to
            none.
    """

    images: list[ParsedImage]
    problems: list[str]
    other_batches: Counter[str] = field(default_factory=Counter)
    classes: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ParsedSet:
    """What a whole set of images says about its images, wherever they lie.

    Attributes:
        file: What is said.
        folders: Folders that its file names may be relative to, the likeliest first.
    """

    file: ParsedFile
    folders: list[str]


def float_or_inf(value: Any) -> float:
    """A number as a float; infinite if it is a whole number beyond all floats.

    Args:
        value: A number.
    """
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def finite_float(value: Any) -> float | None:
    """A finite number as a float.

    Args:
        value: Any value of a JSON file.

    Returns:
        None for anything but a finite number: text, true, NaN, or a whole number beyond all floats.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def short_repr(value: Any) -> str:
    """The repr of a value of a file, shortened to fit a message.

    Args:
        value: Any value of a file.
    """
    return _SHORT_REPR.repr(value)


def is_object_list(value: Any) -> bool:
    """Whether a value is a list of JSON objects.

    Args:
        value: Any value of a JSON file.
    """
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
