"""What the four numbers of boxes mean: COCO's x, y, width and height, or something else."""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

MOST = 0.5
"""Share of the boxes that can be told above which all are of a form."""
MIN_BOXES_TO_JUDGE = 3
"""Boxes that it takes, at least, to say that a file is in another form."""
MIN_SHARE_OF_FORM = 0.05
"""Least share of boxes that fit in another form alone for a file to be in it. Of small boxes, and
of those in the middle, both forms fit."""
FAR = 0.1
"""Share of an image's side by which a box must pass its edge to speak for corners. A box that is
nearly the whole image may pass it by less, and fits as corners as well."""

Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]


class BoxForm(Enum):
    """What four numbers may mean. The value is what they are called."""

    SIDES = '[x, y, width, height]'
    CORNERS = 'corners [x1, y1, x2, y2]'
    ROWS_FIRST = 'corners [y1, x1, y2, x2]'
    CENTRE = '[centre x, centre y, width, height]'
    TRANSPOSED = '[y, x, height, width]'


CURES = {
    BoxForm.CORNERS: (
        'Pascal VOC, torchvision and detectron2 (XYXY_ABS) have such corners: write '
        '[x1, y1, x2 - x1, y2 - y1].'
    ),
    BoxForm.ROWS_FIRST: 'TensorFlow has such corners: write [x1, y1, x2 - x1, y2 - y1].',
    BoxForm.CENTRE: (
        'YOLO and torchvision (cxcywh) have the centre: write '
        '[x - width / 2, y - height / 2, width, height].'
    ),
    BoxForm.TRANSPOSED: (
        'Were the images turned (EXIF) after they were labeled, or are width and height exchanged '
        'in the image list? Export again for the images as they are, or exchange them back.'
    ),
}
"""What to do about boxes of a form."""


def corners_of(numbers: Floats, form: BoxForm = BoxForm.SIDES) -> Floats:
    """The corners of boxes.

    Args:
        numbers: Four numbers of each box. Shape (n, 4).
        form: What they mean. Defaults to COCO's form.

    Returns:
        x1, y1, x2 and y2 of each box. Shape (n, 4).
    """
    if form is BoxForm.CORNERS:
        return numbers
    if form is BoxForm.ROWS_FIRST:
        return numbers[:, [1, 0, 3, 2]]
    if form is BoxForm.TRANSPOSED:
        numbers = numbers[:, [1, 0, 3, 2]]
    start = numbers[:, :2]
    sides = numbers[:, 2:]
    if form is BoxForm.CENTRE:
        start = start - sides / 2
    return np.concatenate([start, start + sides], axis=1)


def fits(numbers: Floats, sizes: Floats, form: BoxForm, tolerance: float) -> Mask:
    """Whether boxes lie in their images, if their numbers are of a form.

    Args:
        numbers: Four numbers of each box. Shape (n, 4).
        sizes: Width and height of its image. Shape (n, 2).
        form: What the numbers mean.
        tolerance: By how much a box may pass the edge, in the unit of the numbers.

    Returns:
        One truth value a box. Shape (n,).
    """
    corners = corners_of(numbers, form)
    start = corners[:, :2]
    end = corners[:, 2:]
    inside = (start >= -tolerance) & (end <= sizes + tolerance) & (end > start)
    both: Mask = np.logical_and.reduce(inside, axis=1)
    return both


def fits_alone(numbers: Floats, sizes: Floats, form: BoxForm, tolerance: float) -> Mask:
    """Whether boxes fit in a form, and are far from fitting as x, y, width and height.

    Args:
        numbers: Four numbers of each box. Shape (n, 4).
        sizes: Width and height of its image, infinite where they are not known. Shape (n, 2).
        form: What the numbers mean.
        tolerance: By how much a box may pass the edge, in the unit of the numbers.

    Returns:
        One truth value a box. Shape (n,). None does if the form is COCO's.
    """
    if form is BoxForm.SIDES:
        return np.zeros(len(numbers), dtype=bool)
    end = corners_of(numbers)[:, 2:]
    limit = (1 + FAR) * sizes
    if form is BoxForm.CENTRE:
        # Boxes that are nearly the whole image do not fit so. Small ones pass the edge by little.
        limit = sizes + tolerance
    passes_edge: Mask = (end - limit).max(axis=1) > 0
    return passes_edge & fits(numbers, sizes, form, tolerance)


def likeliest_form(numbers: Floats, sizes: Floats, tolerance: float) -> BoxForm:
    """The form in which most boxes of a set fit that do not fit as x, y, width and height.

    Args:
        numbers: Four numbers of each box. Shape (n, 4).
        sizes: Width and height of its image, infinite where they are not known. Shape (n, 2).
        tolerance: By how much a box may pass the edge, in the unit of the numbers.

    Returns:
        The form; COCO's if no other one fits most of those boxes.
    """
    n_unfit = int((~fits(numbers, sizes, BoxForm.SIDES, tolerance)).sum())
    likeliest = BoxForm.SIDES
    most = MOST * n_unfit
    for form in CURES:
        n_fitting = int(fits_alone(numbers, sizes, form, tolerance).sum())
        if n_fitting > most:
            likeliest = form
            most = n_fitting
    return likeliest


def are_of_form(numbers: Floats, sizes: Floats, form: BoxForm, tolerance: float) -> bool:
    """Whether the boxes of a set as a whole are of another form than COCO's.

    They are if more of them fit in it alone than in COCO's alone, and those are at least
    :data:`MIN_BOXES_TO_JUDGE` and :data:`MIN_SHARE_OF_FORM` of all.

    Args:
        numbers: Four numbers of each box. Shape (n, 4).
        sizes: Width and height of its image, infinite where they are not known. Shape (n, 2).
        form: The form.
        tolerance: By how much a box may pass the edge, in the unit of the numbers.
    """
    n_for = int(fits_alone(numbers, sizes, form, tolerance).sum())
    if n_for < MIN_BOXES_TO_JUDGE or n_for < MIN_SHARE_OF_FORM * len(numbers):
        return False
    is_known = np.isfinite(sizes).all(axis=1)
    fits_sides = fits(numbers, sizes, BoxForm.SIDES, tolerance)
    n_against = int((is_known & fits_sides & ~fits(numbers, sizes, form, tolerance)).sum())
    return n_for > MOST * (n_for + n_against)
