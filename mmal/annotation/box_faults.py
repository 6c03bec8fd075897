"""Boxes that are no boxes: counted by kind over a whole set, before anything is learned from it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from mmal.errors import InputError

from .box_forms import (
    CURES,
    MIN_BOXES_TO_JUDGE,
    MOST,
    BoxForm,
    Floats,
    Mask,
    are_of_form,
    corners_of,
    fits_alone,
    likeliest_form,
)
from .image_validation import EDGE_TOLERANCE, MIN_SIDE

SHARE_TOLERANCE = 0.01
"""Share of an image's side by which shares may pass its edge: they are written with few digits."""
MIN_BOXES_TO_REFUSE_PERCENTS = 20
"""Boxes that it takes to say for sure that numbers are percents. A few small boxes may lie so."""
MIN_END_OF_PERCENTS = 80
"""Least number that percents must reach in either direction. Boxes in a corner of the images do
not."""
MAX_EXAMPLES = 3
"""Boxes that a message names."""


class BoxFault(Enum):
    """What is wrong with a box. The value is what is said of such boxes.

    A box is of the first kind here that fits it, and of no other.
    """

    NOT_FINITE = 'have a number that is NaN or infinite'
    SHARES = 'lie within 0 and 1, as shares of an image do,'
    NO_EXTENT = 'have a width or height that is not above 0'
    OTHER_FORM = 'pass the edge of their image'
    OUTSIDE = 'lie wholly outside their image'
    BEYOND_EDGE = 'pass the edge of their image by more than a pixel'
    TINY = 'are less than a pixel wide or high'
    NO_AREA = "have an area that is not above 0, or are marked 'ignore',"


_CURES = {
    BoxFault.NOT_FINITE: 'Export the file again, or take these annotations out.',
    BoxFault.NO_EXTENT: (
        'Where boxes were drawn from their lower right corner, write '
        '[x + width, y + height, -width, -height]; else export again, or take them out.'
    ),
    BoxFault.TINY: 'Training drops such boxes. Export again in pixels of the image.',
    BoxFault.NO_AREA: 'Training drops such boxes. Write width * height as area, and no ignore.',
}
_OTHER_SIZE = (
    'Were they drawn on images of another size? Export them for these images, or correct width and '
    'height in the image list.'
)
_LEFT_OUT = 'and are left out, as training drops them'
_CUT = 'and are cut at the edge'
_KEPT = {
    BoxFault.SHARES: 'and are kept, as they are a pixel wide and high',
    BoxFault.OTHER_FORM: _CUT,
    BoxFault.BEYOND_EDGE: _CUT,
}
"""What becomes of boxes of a kind that training does not drop. It drops all of the other kinds."""


@dataclass(frozen=True)
class BoxExamination:
    """What is wrong with the boxes of a set.

    Attributes:
        n_boxes: Number of boxes.
        counts: Number of boxes by kind; kinds without any are absent.
        other_form: Why the numbers are no pixels as x, y, width and height, and the cure, in whole
            sentences. None if they look like them.
        percents: Why the numbers may be percents of the images, and the cure; None if they do not
            look like them. Three boxes do, if all lie within 100 on images over twice that size.
        crowds: Why nothing is learned from boxes that are all crowds, and the cure; None if one is
            not.
        refusal: Why nothing can be learned from the set, and the cure, in whole sentences; None if
            something can.
        notes: What the user should know of a set that is not refused, one sentence without a full
            stop each.
        unusable: Ids of the annotations that training drops: they are never counted as cost.
    """

    n_boxes: int = 0
    counts: dict[BoxFault, int] = field(default_factory=dict)
    other_form: str | None = None
    percents: str | None = None
    crowds: str | None = None
    refusal: str | None = None
    notes: list[str] = field(default_factory=list)
    unusable: frozenset[Hashable] = frozenset()

    def require_usable(self, name: str) -> list[str]:
        """Refuse a set of which nothing can be learned.

        Args:
            name: Path of the file, or what else the set is called.

        Returns:
            The notes, each with the name before it.

        Raises:
            InputError: If it is refused.
        """
        if self.refusal is not None:
            raise InputError(f'{name}: {self.refusal}')
        return [f'{name}: {note}' for note in self.notes]


def examine_boxes(
    images: Sequence[Mapping[str, Any]], annotations: Sequence[Mapping[str, Any]]
) -> BoxExamination:
    """Look for boxes that are none.

    A set is refused whose boxes are in another form than COCO's; of which more than
    :data:`~mmal.annotation.box_forms.MOST`, and at least
    :data:`~mmal.annotation.box_forms.MIN_BOXES_TO_JUDGE`, are of one kind of :class:`BoxFault`; or
    that has no box to train on.

    Args:
        images: Images with ``id``, ``file_name``, ``width`` and ``height``; the last two are None
            where they are not known.
        annotations: Annotations with ``id``, ``image_id`` and ``bbox``: four numbers. They may have
            ``area``, ``iscrowd`` and ``ignore``.

    Returns:
        What was found.
    """
    if not annotations:
        return BoxExamination()
    boxes = _Boxes(images, annotations)
    masks = boxes.find_faults()
    counts = {fault: int(mask.sum()) for fault, mask in masks.items() if mask.any()}
    other_form = _other_form(boxes, masks)
    percents = _percents(boxes)
    refusal = other_form
    if refusal is None and percents is not None and _are_surely_percents(boxes):
        refusal = percents
    if refusal is None:
        refusal = _kind_refusal(boxes, masks)
    crowds = _all_crowds(boxes)
    if refusal is None:
        refusal = crowds
    if refusal is None:
        refusal = _nothing_left(boxes)
    notes = []
    if refusal is None:
        notes = _notes(boxes, masks)
    if refusal is None and percents is not None:
        notes.append(
            f'all {len(annotations)} boxes lie within 100, and may be percents ({boxes.examples()})'
        )
    rows = np.flatnonzero(boxes.unusable)
    unusable = frozenset(annotations[row]['id'] for row in rows)
    return BoxExamination(
        n_boxes=len(annotations),
        counts=counts,
        other_form=other_form,
        percents=percents,
        crowds=crowds,
        refusal=refusal,
        notes=notes,
        unusable=unusable,
    )


class _Boxes:
    """The boxes of a set as arrays of n rows.

    Args:
        images: The images.
        annotations: The annotations.

    Attributes:
        numbers: The four numbers of each box; zeros where one is not finite. Shape (n, 4).
        sizes: Width and height of its image; infinite where they are not known. Shape (n, 2).
        finite: Whether all four are finite. Shape (n,).
        crowd: Whether it is marked as a crowd. Shape (n,).
        unusable: Whether mmdet drops it, or training would not survive it. Shape (n,).
        form: What most boxes fit as that do not fit as x, y, width and height; COCO's form if there
            are none, or nothing fits them.
    """

    def __init__(
        self, images: Sequence[Mapping[str, Any]], annotations: Sequence[Mapping[str, Any]]
    ) -> None:
        self._annotations = annotations
        self._images = {image['id']: image for image in images}
        sizes = {}
        for image in images:
            sizes[image['id']] = (image.get('width'), image.get('height'))
        own_sizes = [sizes[annotation['image_id']] for annotation in annotations]
        raw = np.array([annotation['bbox'] for annotation in annotations], dtype=float)
        areas = [annotation.get('area', 1) for annotation in annotations]
        ignored = [bool(annotation.get('ignore')) for annotation in annotations]
        crowds = [bool(annotation.get('iscrowd')) for annotation in annotations]
        # numpy takes None for NaN
        self.sizes: Floats = np.array(own_sizes, dtype=float)
        self.sizes[np.isnan(self.sizes)] = np.inf
        self.finite: Mask = np.isfinite(raw).all(axis=1)
        self.numbers: Floats = np.where(self.finite[:, None], raw, 0.0)
        self.crowd: Mask = np.array(crowds)
        self.form = likeliest_form(self.numbers, self.sizes, EDGE_TOLERANCE)
        if self.form is BoxForm.CENTRE and not self.are_of(self.form):
            # Any box fits so that passes the edge by little.
            self.form = BoxForm.SIDES
        corners = corners_of(self.numbers)
        self._beyond: Floats = np.maximum(-corners[:, :2], corners[:, 2:] - self.sizes)
        inner = np.minimum(corners[:, 2:], self.sizes) - np.maximum(corners[:, :2], 0)
        self._outside: Mask = inner.min(axis=1) <= 0
        self._tiny: Mask = self.numbers[:, 2:].min(axis=1) < MIN_SIDE
        self._no_area: Mask = (np.array(areas, dtype=float) <= 0) | np.array(ignored)
        self.unusable: Mask = ~self.finite | self._outside | self._tiny | self._no_area

    def are_of(self, form: BoxForm) -> bool:
        """Whether the boxes as a whole are of a form other than COCO's.

        Args:
            form: The form.
        """
        # NaN and sides of 0 say nothing of the form
        known = (self.numbers[:, 2:] > 0).all(axis=1)
        return are_of_form(self.numbers[known], self.sizes[known], form, EDGE_TOLERANCE)

    def find_faults(self) -> dict[BoxFault, Mask]:
        """Which boxes are of which kind, each of one at most."""
        has_extent = (self.numbers[:, 2:] > 0).all(axis=1)
        within_1 = ((self.numbers >= 0) & (self.numbers <= 1)).all(axis=1)
        found = {
            BoxFault.NOT_FINITE: ~self.finite,
            BoxFault.SHARES: within_1 & has_extent,
            BoxFault.NO_EXTENT: ~has_extent,
            BoxFault.OTHER_FORM: fits_alone(self.numbers, self.sizes, self.form, EDGE_TOLERANCE),
            BoxFault.OUTSIDE: self._outside,
            BoxFault.BEYOND_EDGE: (self._beyond > EDGE_TOLERANCE).any(axis=1),
            BoxFault.TINY: self._tiny,
            BoxFault.NO_AREA: self._no_area,
        }
        taken = np.zeros(len(self.numbers), dtype=bool)
        masks = {}
        for fault, mask in found.items():
            masks[fault] = mask & ~taken
            taken |= mask
        return masks

    def examples(self, mask: Mask | None = None) -> str:
        """The first boxes, with their images.

        Args:
            mask: Which boxes may be named. Defaults to None: all.
        """
        rows = np.arange(len(self.numbers)) if mask is None else np.flatnonzero(mask)
        shown = []
        for row in rows[:MAX_EXAMPLES]:
            annotation = self._annotations[row]
            image = self._images[annotation['image_id']]
            numbers = ', '.join(f'{float(number):g}' for number in annotation['bbox'])
            name = image.get('file_name') or image['id']
            shown.append(f'[{numbers}] on {name} ({_size(image)})')
        more = ', ...' if len(rows) > MAX_EXAMPLES else ''
        return ', '.join(shown) + more


def _size(image: Mapping[str, Any]) -> str:
    width = image.get('width')
    height = image.get('height')
    if width is None or height is None:
        return 'of unknown size'
    return f'{width:g} x {height:g}'


def _count(mask: Mask) -> str:
    """How many of the boxes a mask is true of, in words."""
    n_found = int(mask.sum())
    return f'{n_found} of {len(mask)} boxes ({100 * n_found / len(mask):.1f} %)'


def _is_most(mask: Mask) -> bool:
    n_found = int(mask.sum())
    return n_found >= MIN_BOXES_TO_JUDGE and n_found > MOST * len(mask)


def _other_form(boxes: _Boxes, masks: Mapping[BoxFault, Mask]) -> str | None:
    """Why the numbers are no pixels as x, y, width and height; None if they may be."""
    shares = masks[BoxFault.SHARES]
    if _is_most(shares):
        return (
            f'the boxes look like shares, expected pixels: {_count(shares)} lie '
            f'within 0 and 1: {boxes.examples(shares)}. {_cure_of_shares(boxes.numbers[shares])}'
        )
    form = boxes.form
    if not boxes.are_of(form):
        return None
    found = masks[BoxFault.OTHER_FORM]
    return (
        f'the boxes look like {form.value}, expected {BoxForm.SIDES.value} as COCO has them: '
        f'{_count(found)} pass the edge of their image, and fit as {form.value}: '
        f'{boxes.examples(found)}. {CURES[form]}'
    )


def _cure_of_shares(shares: Floats) -> str:
    """What to do about numbers that are shares of the image."""
    form = _form_of_shares(shares, 1)
    if form is BoxForm.SIDES:
        return (
            "Multiply x and width by the image's width, y and height by its height. FiftyOne's own "
            'boxes are such shares: export them as COCODetectionDataset.'
        )
    return (
        f"They fit as {form.value}: multiply them by the image's width and height first. "
        f'{CURES[form]}'
    )


def _form_of_shares(numbers: Floats, whole: float) -> BoxForm:
    """The form of shares of the image.

    Args:
        numbers: Four numbers of each box. Shape (n, 4).
        whole: What stands for a whole side: 1, or 100 for percents.
    """
    sizes = np.full((len(numbers), 2), whole)
    tolerance = SHARE_TOLERANCE * whole
    form = likeliest_form(numbers, sizes, tolerance)
    return form if are_of_form(numbers, sizes, form, tolerance) else BoxForm.SIDES


def _percents(boxes: _Boxes) -> str | None:
    """Why the numbers may be percents of the image, and the cure; None if they do not look so."""
    numbers = boxes.numbers[boxes.finite]
    if len(numbers) < MIN_BOXES_TO_JUDGE or np.median(boxes.sizes.min(axis=1)) <= 200:
        return None
    largest = 100 * (1 + SHARE_TOLERANCE)
    ends = corners_of(numbers, _form_of_shares(numbers, 100))[:, 2:]
    if numbers.min() < 0 or numbers.max() <= 1 or max(numbers.max(), ends.max()) > largest:
        return None
    return (
        f'the boxes look like percents, expected pixels: all {len(boxes.numbers)} '
        f"lie within 100: {boxes.examples()}. Label Studio's JSON has percents: export it as COCO, "
        "or multiply x and width by the image's width / 100, y and height by its height / 100."
    )


def _are_surely_percents(boxes: _Boxes) -> bool:
    """Whether there are many boxes, and they reach to the ends of the images in percents."""
    if len(boxes.numbers) < MIN_BOXES_TO_REFUSE_PERCENTS:
        return False
    furthest = corners_of(boxes.numbers)[:, 2:].max(axis=0)
    return bool((furthest >= MIN_END_OF_PERCENTS).all())


def _describe(boxes: _Boxes, masks: Mapping[BoxFault, Mask], fault: BoxFault) -> str:
    """How many boxes are of a kind, the first of them, and what to do."""
    mask = masks[fault]
    return f'{_count(mask)} {fault.value}: {boxes.examples(mask)}. {_CURES[fault]}'


def _kind_refusal(boxes: _Boxes, masks: Mapping[BoxFault, Mask]) -> str | None:
    """Why most boxes are none; None if most are boxes."""
    for fault in _CURES:
        if _is_most(masks[fault]):
            return _describe(boxes, masks, fault)
    not_inside = masks[BoxFault.OUTSIDE] | masks[BoxFault.OTHER_FORM] | masks[BoxFault.BEYOND_EDGE]
    if not _is_most(not_inside):
        return None
    return (
        f'{_count(not_inside)} do not lie in their image: {boxes.examples(not_inside)}. '
        f'{_OTHER_SIZE}'
    )


def _all_crowds(boxes: _Boxes) -> str | None:
    """Why nothing is learned from boxes that are all crowds, and the cure; None if one is not."""
    usable = ~boxes.unusable
    if not usable.any() or (usable & ~boxes.crowd).any():
        return None
    return (
        f'all {int(usable.sum())} boxes are crowds (iscrowd), which training passes over: '
        f'{boxes.examples(usable)}. Exports mark objects so that were drawn as run-length masks: '
        'write "iscrowd": 0 for each that is a single object.'
    )


def _nothing_left(boxes: _Boxes) -> str | None:
    """Why no box can be trained on, and the cure; None if one can."""
    if not boxes.unusable.all():
        return None
    return (
        f'none of the {len(boxes.unusable)} boxes can be trained on: {boxes.examples()}. A box '
        'needs four finite numbers, a width and height of at least a pixel in its image, and an '
        'area above 0: export again.'
    )


def _notes(boxes: _Boxes, masks: Mapping[BoxFault, Mask]) -> list[str]:
    """What is to be known of boxes that are none, or none to learn from."""
    notes = []
    for fault, mask in masks.items():
        if not mask.any():
            continue
        what = fault.value
        if fault is BoxFault.OTHER_FORM:
            what = f'{what}, would fit as {boxes.form.value},'
        by_outcome = {
            _LEFT_OUT: mask & boxes.unusable,
            _KEPT.get(fault, ''): mask & ~boxes.unusable,
        }
        for outcome, some in by_outcome.items():
            if some.any():
                notes.append(f'{_count(some)} {what} {outcome} ({boxes.examples(some)})')
    if _is_most(boxes.crowd):
        notes.append(
            f'{_count(boxes.crowd)} are crowds (iscrowd), which training passes over '
            f'({boxes.examples(boxes.crowd)})'
        )
    whole = _are_whole_images(boxes)
    if _is_most(whole):
        notes.append(
            f'{_count(whole)} are the whole image, and no place can be learned from them '
            f'({boxes.examples(whole)})'
        )
    return notes


def _are_whole_images(boxes: _Boxes) -> Mask:
    corners = corners_of(boxes.numbers)
    from_start = np.abs(corners[:, :2]).max(axis=1)
    to_end = np.abs(corners[:, 2:] - boxes.sizes).max(axis=1)
    whole: Mask = np.maximum(from_start, to_end) <= EDGE_TOLERANCE
    return whole
