"""Check what a file says about one image: its classes, its boxes, its size and the time it took."""

from __future__ import annotations

import math
from collections.abc import Hashable
from difflib import get_close_matches
from numbers import Real
from typing import Any

from .batch import Batch, BatchImage
from .parsed import ParsedBox, ParsedImage, finite_float, float_or_inf, short_repr
from .records import BoxEntry, LabelEntry

EDGE_TOLERANCE = 1.0
"""Pixels by which a box may pass the edge of its image and be cut silently: tools round."""
MIN_SIDE = 1.0
"""Least width and height, in pixels, of a box that mmdet trains on."""
MAX_CLASSES_SHOWN = 10
"""Class names that a message lists at most."""


def validate_image(
    batch: Batch, image: BatchImage, parsed: ParsedImage, clip: bool
) -> tuple[LabelEntry, list[str]]:
    """Make the entry of ``labels.json`` from what a file says about an image.

    Args:
        batch: The batch that the image is of.
        image: The image.
        parsed: What the file says about it.
        clip: Whether to cut boxes at the edge of the image, however far they pass it.

    Returns:
        The entry, without what is at fault, and the faults, one line each with place and cure.
    """
    entry: LabelEntry = {}
    faults: list[str] = []
    if parsed.who is not None:
        entry['who'] = parsed.who
    if parsed.seconds is not None:
        entry['seconds'] = parsed.seconds
        seconds = finite_float(parsed.seconds)
        if seconds is None or seconds < 0:
            faults.append(
                f'{parsed.where}: seconds of {image.file_name}: expected at least 0, found '
                f'{short_repr(parsed.seconds)}.'
            )
    if batch.has_boxes:
        boxes, box_faults = _validate_boxes(batch, image, parsed.boxes, clip)
        entry['boxes'] = boxes
        faults += box_faults
        size_fault = _size_fault(image, parsed.size)
        if size_fault is not None:
            faults.append(f'{parsed.where}: {size_fault}')
    else:
        label, label_faults = _validate_label(batch, image, parsed)
        if label is not None:
            entry['label'] = label
        faults += label_faults
    return entry, faults


def bbox_fault(bbox: Any) -> str | None:
    """What is wrong with the four numbers of a box, whatever the image.

    Args:
        bbox: Whatever a file holds as x, y, width and height.

    Returns:
        The fault and what to do, or None if the box is one.
    """
    numbers = box_numbers(bbox)
    if numbers is None:
        return (
            'expected four numbers as bbox (x, y, width, height), found '
            f'{short_repr(bbox)}. Draw a rectangle.'
        )
    if not all(map(math.isfinite, numbers)):
        return f'bbox has a number that is not finite: {short_repr(list(bbox))}. Draw it anew.'
    if min(numbers[2:]) <= 0:
        return f'width and height must be above 0, found {list(bbox)}. Remove it or draw it anew.'
    return None


def box_numbers(bbox: Any) -> list[float] | None:
    """The four numbers of a box as floats.

    Args:
        bbox: Whatever a file holds as x, y, width and height.

    Returns:
        The numbers, which may not be finite; None if they are not four numbers.
    """
    if not isinstance(bbox, (list, tuple)) or len(bbox) != 4 or not all(map(_is_number, bbox)):
        return None
    return [float_or_inf(value) for value in bbox]


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _validate_label(
    batch: Batch, image: BatchImage, parsed: ParsedImage
) -> tuple[int | list[int] | None, list[str]]:
    """The class index of a whole image, or a list of them; None if there is no class."""
    names = parsed.labels
    faults = []
    if not names:
        faults.append('expected a class, found none. Choose one, or skip the image.')
    elif len(set(map(str, names))) < len(names):
        faults.append(f'a class stands twice: {short_repr(names)}. Keep one.')
    elif len(names) > 1 and not batch.several_labels:
        listed = ', '.join(map(str, names[:MAX_CLASSES_SHOWN]))
        faults.append(
            f'{image.file_name} has {len(names)} classes ({listed}), and the model takes one an '
            'image. Keep one.'
        )
    indices = []
    for name in names:
        fault = _class_fault(batch.classes, name)
        if fault is None:
            indices.append(batch.classes.index(name))
        else:
            faults.append(fault)
    placed = [f'{parsed.where}: {fault}' for fault in faults]
    if batch.several_labels:
        return indices, placed
    return (indices[0] if indices else None), placed


def _class_fault(classes: list[str], name: Hashable) -> str | None:
    """Why a name is no class, and which one may be meant; None if it is one."""
    if name in classes:
        return None
    lower_case = [known.lower() for known in classes]
    near = get_close_matches(str(name).strip().lower(), lower_case, n=1, cutoff=0.8)
    if near:
        meant = classes[lower_case.index(near[0])]
        cure = f'. Was {meant!r} renamed? Name it as here.'
    else:
        listed = ', '.join(classes[:MAX_CLASSES_SHOWN])
        more = ', ...' if len(classes) > MAX_CLASSES_SHOWN else ''
        cure = f' ({listed}{more}). Use one of them.'
    return f'{short_repr(name)} is no class of this project{cure}'


def _size_fault(image: BatchImage, size: tuple[Any, Any] | None) -> str | None:
    """What is wrong with the image size that a file gives; None if nothing is, or it gives none."""
    if size is None or None in size:
        return None
    width = finite_float(size[0])
    height = finite_float(size[1])
    if width is None or height is None:
        return (
            f'{image.file_name}: expected pixels as width and height, found {short_repr(size[0])} '
            f'x {short_repr(size[1])}. Mend them in the file, or leave them out.'
        )
    if (round(width), round(height)) != (image.width, image.height):
        return (
            f'{image.file_name} is {size[0]} x {size[1]} there and {image.width} x {image.height} '
            'here, so its boxes may lie in wrong places. Is it the same image, turned the same way?'
        )
    return None


def _validate_boxes(
    batch: Batch, image: BatchImage, boxes: list[ParsedBox], clip: bool
) -> tuple[list[BoxEntry], list[str]]:
    """Boxes in the project's terms, without those at fault, and the faults."""
    entries = []
    faults = []
    for box in boxes:
        box_faults = []
        class_fault = _class_fault(batch.classes, box.category)
        if class_fault is not None:
            box_faults.append(class_fault)
        bbox, fault = _place_in_image(image, box.bbox, clip)
        if fault is not None:
            box_faults.append(fault)
        if bbox is not None and class_fault is None:
            entries.append(_box_entry(bbox, box))
        faults += [f'{box.where} on {image.file_name}: {fault}' for fault in box_faults]
    return entries, faults


def _box_entry(bbox: list[float], box: ParsedBox) -> BoxEntry:
    entry: BoxEntry = {'bbox': bbox, 'category': box.category}
    if box.crowd:
        entry['iscrowd'] = 1
    return entry


def _place_in_image(
    image: BatchImage, bbox: Any, clip: bool
) -> tuple[list[float] | None, str | None]:
    """The part of a box that lies in its image; or None, and the fault, if it cannot be a box."""
    fault = bbox_fault(bbox)
    if fault is not None:
        return None, fault
    image_width, image_height = image.size
    x, y, width, height = map(float, bbox)
    left = max(x, 0.0)
    top = max(y, 0.0)
    right = min(x + width, image_width)
    bottom = min(y + height, image_height)
    if right <= left or bottom <= top:
        return None, (
            f'lies outside the image ({image_width} x {image_height}): {list(bbox)}. Remove it.'
        )
    beyond = max(-x, -y, x + width - image_width, y + height - image_height)
    if beyond > EDGE_TOLERANCE and not clip:
        return None, (
            f'passes the edge of the image ({image_width} x {image_height}): {list(bbox)}. '
            'Draw it anew, or say --clip to cut such boxes at the edge.'
        )
    if min(right - left, bottom - top) < MIN_SIDE:
        return None, (
            f'is less than a pixel wide or high in the image: {list(bbox)}. Training would drop '
            'it: remove it or draw it anew.'
        )
    return [left, top, right - left, bottom - top], None
