"""Which labels of a file are believed, and why the others are not.

Every fault is named with its image, its place in the file and what to do about it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from .batch import Batch, BatchImage
from .box_faults import BoxExamination
from .box_forms import MIN_BOXES_TO_JUDGE
from .conversion import examine_parsed
from .image_validation import bbox_fault, validate_image
from .match_rules import MatchRule
from .matching import ImageFinder, ImageNotFoundError
from .parsed import ParsedBox, ParsedImage
from .records import LabelEntry

SAME_BOX_TOLERANCE = 0.01
"""Pixels within which a box is the model's own: tools round to hundredths."""


class Ambiguity(Enum):
    """Why it is not clear whether anybody looked at an image."""

    EMPTY = 'empty'
    """It has no box."""
    UNTOUCHED = 'untouched'
    """It has exactly the boxes that the model predicted."""


@dataclass(frozen=True)
class Rules:
    """What the user has said about a file.

    Attributes:
        clip: Whether to cut boxes at the edge of the image, however far they pass it. Defaults to
            False: a box that passes it is a fault. Boxes that look like corners are faults whatever
            it says.
        without_boxes: What an image without boxes is where the format cannot say: 'empty' or
            'unlabeled'. Defaults to None: such images are a fault, whose message asks.
        pixels: Whether the numbers are pixels although they look like percents. Defaults to False.
        untouched: What an image with exactly the model's own boxes is where the format cannot say:
            'accepted' or 'unlabeled'. Defaults to None: such images are a fault, whose message
            asks.
        match: Rules by which a name may differ from that of its image. Defaults to none but what is
            always taken.
    """

    clip: bool = False
    without_boxes: Literal['empty', 'unlabeled'] | None = None
    pixels: bool = False
    untouched: Literal['accepted', 'unlabeled'] | None = None
    match: tuple[MatchRule, ...] = ()

    def accepts(self, ambiguity: Ambiguity | None) -> bool:
        """Whether an image counts as labeled.

        Args:
            ambiguity: Why that is not clear; None if it is clear.
        """
        if ambiguity is Ambiguity.EMPTY:
            return self.without_boxes == 'empty'
        if ambiguity is Ambiguity.UNTOUCHED:
            return self.untouched == 'accepted'
        return True


@dataclass
class ValidatedLabels:
    """The labels that a file brings, and its faults.

    Attributes:
        entries: Labels of the images, by the text of their ids.
        skipped: Texts of ids of images that the annotator skipped.
        problems: Faults, one line each, with image, place and cure.
        unmatched: What the file says about images that are not in the batch.
        notes: What else the user should know about the effect of the file.
        advice: What to write so that more of the names are taken. Defaults to '': nothing.
    """

    entries: dict[str, LabelEntry] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unmatched: list[ParsedImage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    advice: str = ''


def validate(batch: Batch, parsed_images: list[ParsedImage], rules: Rules) -> ValidatedLabels:
    """Compare what a file says with what was asked.

    Args:
        batch: The batch that people were asked to label.
        parsed_images: What the file says about images.
        rules: What the user has said about the file.

    Returns:
        The labels, and all faults of the file.
    """
    labels = ValidatedLabels()
    accepted: list[tuple[BatchImage, ParsedImage]] = []
    ambiguous: dict[Ambiguity, list[str]] = {ambiguity: [] for ambiguity in Ambiguity}
    places: dict[Hashable, str] = {}
    finder = ImageFinder(batch, parsed_images, rules.match)
    labels.advice = finder.advice
    for parsed in parsed_images:
        try:
            image = finder.find(parsed)
        except ImageNotFoundError as e:
            labels.problems.append(f'{parsed.where}: {e}')
            labels.unmatched.append(parsed)
            continue
        if image.id in places:
            labels.problems.append(
                f'{parsed.where}: {image.file_name} stands in {places[image.id]}, too. Keep one.'
            )
            continue
        places[image.id] = parsed.where
        ambiguity = _find_ambiguity(batch, image, parsed)
        if ambiguity is not None:
            ambiguous[ambiguity].append(image.file_name)
        if parsed.state == 'skipped':
            labels.skipped.append(str(image.id))
        elif parsed.state != 'unlabeled' and rules.accepts(ambiguity):
            accepted.append((image, parsed))
    labels.notes += finder.notes
    examination = examine_parsed([(_entry(image), parsed) for image, parsed in accepted])
    if examination.other_form is None:
        for image, parsed in accepted:
            entry, faults = validate_image(batch, image, parsed, rules.clip)
            labels.entries[str(image.id)] = entry
            labels.problems += faults
    untouched = ambiguous[Ambiguity.UNTOUCHED]
    if untouched and rules.untouched is not None:
        outcome = 'accepted' if rules.untouched == 'accepted' else 'left out'
        labels.notes.append(f"{len(untouched)} with the model's own boxes {outcome}")
    labels.problems += _open_questions(rules, ambiguous, examination)
    return labels


def _entry(image: BatchImage) -> dict[str, Any]:
    return dict(id=image.id, file_name=image.file_name, width=image.width, height=image.height)


def _open_questions(
    rules: Rules, ambiguous: dict[Ambiguity, list[str]], examination: BoxExamination
) -> list[str]:
    """Faults of a file as a whole that ask the user something the rules do not answer.

    Args:
        rules: What the user has said about the file.
        ambiguous: File names of images of which it is not clear that anybody looked at them.
        examination: What the boxes of the file are like as a whole.
    """
    questions = []
    if examination.other_form is not None:
        questions.append(examination.other_form)
    elif examination.percents is not None and not rules.pixels:
        questions.append(f'{examination.percents} If they are pixels, say --pixels.')
    # One or two may well be crowds.
    if examination.crowds is not None and examination.n_boxes >= MIN_BOXES_TO_JUDGE:
        questions.append(examination.crowds)
    empty = ambiguous[Ambiguity.EMPTY]
    if empty and rules.without_boxes is None:
        questions.append(
            f'{len(empty)} images have no box, e.g. {empty[0]}, and this format cannot say whether '
            'they were looked at. Say --without-boxes empty (they show no object) or '
            '--without-boxes unlabeled (they come again).'
        )
    untouched = ambiguous[Ambiguity.UNTOUCHED]
    if untouched and rules.untouched is None:
        questions.append(
            f'{len(untouched)} images have exactly the boxes that the model guessed, e.g. '
            f'{untouched[0]}, and this format cannot say whether they were looked at. Say '
            '--untouched accepted (they were, and are right) or --untouched unlabeled (they come '
            'again).'
        )
    return questions


def _find_ambiguity(batch: Batch, image: BatchImage, parsed: ParsedImage) -> Ambiguity | None:
    """Why it is not clear that somebody looked at the image, where the format cannot say it."""
    if parsed.state != 'unsure':
        return None
    if not parsed.boxes:
        return Ambiguity.EMPTY
    if _equals_predictions(batch, image, parsed.boxes):
        return Ambiguity.UNTOUCHED
    return None


def _equals_predictions(batch: Batch, image: BatchImage, boxes: list[ParsedBox]) -> bool:
    """Whether the boxes are the model's own, in whatever order."""
    if len(image.predictions) != len(boxes):
        return False
    remaining = [(batch.classes[p['label']], p['bbox']) for p in image.predictions]
    for box in boxes:
        place = _find_box(box, remaining)
        if place is None:
            return False
        del remaining[place]
    return True


def _find_box(box: ParsedBox, predicted: list[tuple[str, list[float]]]) -> int | None:
    """Place of the first prediction, a class name and a bbox, that is the same as a box."""
    if bbox_fault(box.bbox) is not None:
        return None
    for place, (name, bbox) in enumerate(predicted):
        # the tools' rounding of a number that floats cannot hold exactly
        tolerance = SAME_BOX_TOLERANCE + 1e-6
        differences = [abs(a - b) for a, b in zip(bbox, box.bbox, strict=True)]
        if name == box.category and max(differences) < tolerance:
            return place
    return None
