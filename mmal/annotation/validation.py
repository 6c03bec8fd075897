"""What is believed of a file, and why the rest is not: every fault is named with its image, its place and the cure."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from numbers import Real
from typing import TYPE_CHECKING

from .matching import image_of
from .parsed import ParsedBox, ParsedImage, finite_float, short_repr

if TYPE_CHECKING:
    from .batch import Batch, BatchImage
EDGE = 1.0
"""Pixels by which a box may pass the edge of its image and be cut without a word: rounding of tools."""
SAME = 0.01
"""Pixels within which a box is the model's own: tools round to hundredths."""
CLASSES_SHOWN = 10


@dataclass(frozen=True)
class Rules:
    """What the user has said about a file.

    Attributes:
        clip: Cut boxes at the edge of the image, however far they pass it.
        without_boxes: What an image without boxes is where the format cannot say: 'empty', 'unlabeled', or None to ask.
        pixels: The numbers are pixels although they look like percents or shares.
        untouched: What an image with just the model's own boxes is where the format cannot say: 'accepted',
            'unlabeled', or None to ask.
    """

    clip: bool = False
    without_boxes: str | None = None
    pixels: bool = False
    untouched: str | None = None

    def takes(self, doubt: str | None) -> bool:
        """Whether an image is labeled although there is this doubt about it."""
        return {
            None: True,
            EMPTY: self.without_boxes == 'empty',
            UNTOUCHED: self.untouched == 'accepted',
        }[doubt]


EMPTY, UNTOUCHED = 'empty', 'untouched'
"""Doubts whether anybody looked at an image: it has no box; it has just the model's own."""


@dataclass
class ValidatedLabels:
    """What a file comes to.

    Attributes:
        entries: By text of the image id: ``boxes`` (bbox, category name, crowd) or ``label`` (class index or list of
            them), ``who`` and ``seconds``.
        skipped: Texts of ids of images that whoever was to label them skipped.
        problems: Lines, each with image, place and cure.
        strangers: Answers that are of no image of the batch.
        notes: What else the user should know of the effect.
    """

    entries: dict[str, dict] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    strangers: list[ParsedImage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def validate(batch: Batch, answers: list[ParsedImage], rules: Rules) -> ValidatedLabels:
    """Compare the answers of a file with what was asked."""
    found, doubts = ValidatedLabels(), {EMPTY: [], UNTOUCHED: []}
    for image, answer in _known(batch, answers, found):
        doubt = _ambiguity(batch, image, answer)
        if doubt:
            doubts[doubt].append(image.file_name)
        if answer.state == 'skipped':
            found.skipped.append(str(image.id))
        elif answer.state != 'unlabeled' and rules.takes(doubt):
            validate_image(batch, image, answer, rules, found)
    _report_ambiguous(doubts, rules, found)
    if not rules.pixels and (what := _not_pixels(batch, found.entries)):
        found.problems.append(
            f'Every box lies within {what} of the image sizes: the numbers look like '
            f'{"shares" if what == "1" else "percents"}, expected pixels. Export in pixels, or say '
            '--pixels if they are.'
        )
    return found


def _known(
    batch: Batch, answers: list[ParsedImage], found: ValidatedLabels
) -> Iterator[tuple[BatchImage, ParsedImage]]:
    """Answers with the images they are about, each image once."""
    seen = {}
    for answer in answers:
        image, problem = image_of(batch, answer)
        if image is None:
            found.problems.append(f'{answer.where}: {problem}')
            found.strangers.append(answer)
        elif image.id in seen:
            found.problems.append(
                f'{answer.where}: {image.file_name} stands in {seen[image.id]}, too. Keep one.'
            )
        else:
            seen[image.id] = answer.where
            yield image, answer


def _ambiguity(batch: Batch, image: BatchImage, answer: ParsedImage) -> str | None:
    """Why it is not clear that somebody looked at the image, if the format cannot say it."""
    if answer.state != 'unsure':
        return None
    if not answer.boxes:
        return EMPTY
    return UNTOUCHED if _as_guessed(batch, image, answer.boxes) else None


def _as_guessed(batch: Batch, image: BatchImage, boxes: list[ParsedBox]) -> bool:
    """Whether the boxes are the model's own, in whatever order."""
    left = [(batch.classes[p['label']], p['bbox']) for p in image.predictions]
    if len(left) != len(boxes):
        return False
    for box in boxes:
        same = [
            n
            for n, (name, bbox) in enumerate(left)
            if name == box.category
            and _not_a_box(box.bbox) is None
            and all(abs(a - b) < SAME + 1e-6 for a, b in zip(bbox, box.bbox, strict=True))
        ]
        if not same:
            return False
        del left[same[0]]
    return True


def _report_ambiguous(doubts: dict[str, list[str]], rules: Rules, found: ValidatedLabels) -> None:
    """Ask about images of which it is not clear that somebody looked at them, or say what was made of them."""
    empty, untouched = doubts[EMPTY], doubts[UNTOUCHED]
    if empty and rules.without_boxes is None:
        found.problems.append(
            f'{len(empty)} images have no box, e.g. {empty[0]}, and this format cannot say whether they were looked '
            'at. Say --without-boxes empty (they show no object) or --without-boxes unlabeled (they come again).'
        )
    if untouched and rules.untouched is None:
        found.problems.append(
            f'{len(untouched)} images have exactly the boxes that the model guessed, e.g. {untouched[0]}, and this '
            'format cannot say whether they were looked at. Say --untouched accepted (they were, and are right) or '
            '--untouched unlabeled (they come again).'
        )
    elif untouched:
        found.notes.append(
            f"{len(untouched)} with the model's own boxes "
            + ('accepted' if rules.untouched == 'accepted' else 'left out')
        )


def validate_image(
    batch: Batch, image: BatchImage, answer: ParsedImage, rules: Rules, found: ValidatedLabels
) -> None:
    entry = {k: v for k, v in (('who', answer.who), ('seconds', answer.seconds)) if v is not None}
    took = finite_float(entry.get('seconds', 0))
    if took is None or took < 0:
        found.problems.append(
            f'{answer.where}: seconds of {image.file_name}: expected at least 0, found '
            f'{short_repr(entry["seconds"])}.'
        )
    problems: list[str] = []
    if batch.boxes:
        entry['boxes'] = [
            b for box in answer.boxes if (b := _box(batch, image, box, rules, problems)) is not None
        ]
        if wrong := _size_differs(image, answer.size):
            problems.append(f'{answer.where}: {wrong}')
    else:
        entry['label'] = _label(batch, image, answer, problems)
    found.problems += problems
    found.entries[str(image.id)] = entry


def _size_differs(image: BatchImage, size: tuple | None) -> str | None:
    if size is None or None in size:
        return None
    found = [finite_float(s) for s in size]
    if None in found:
        return (
            f'{image.file_name}: expected pixels as width and height, found {short_repr(size[0])} x {short_repr(size[1])}. '
            'Mend them in the file, or leave them out.'
        )
    if [round(s) for s in found] != [image.width, image.height]:
        return (
            f'{image.file_name} is {size[0]} x {size[1]} there and {image.width} x {image.height} here, so its '
            'boxes may lie in wrong places. Is it the same image, turned the same way?'
        )
    return None


def _class(batch: Batch, name: Hashable, place: str, problems: list[str]) -> str | None:
    if name in batch.classes:
        return name
    near = get_close_matches(str(name).strip().lower(), [c.lower() for c in batch.classes], 1, 0.8)
    meant = next((c for c in batch.classes if near and c.lower() == near[0]), None)
    some = ', '.join(batch.classes[:CLASSES_SHOWN]) + (
        ', ...' if len(batch.classes) > CLASSES_SHOWN else ''
    )
    problems.append(
        f'{place}: {short_repr(name)} is no class of this project'
        + (
            f'. Was {meant!r} renamed? Name it as here.'
            if meant
            else f' ({some}). Use one of them.'
        )
    )
    return None


def _label(
    batch: Batch, image: BatchImage, answer: ParsedImage, problems: list[str]
) -> int | list[int] | None:
    names = answer.labels
    if not names:
        problems.append(
            f'{answer.where}: expected a class, found none. Choose one, or skip the image.'
        )
    elif len(set(map(str, names))) < len(names):
        problems.append(f'{answer.where}: a class stands twice: {short_repr(names)}. Keep one.')
    elif len(names) > 1 and not batch.several:
        problems.append(
            f'{answer.where}: {image.file_name} has {len(names)} classes '
            f'({", ".join(map(str, names[:CLASSES_SHOWN]))}), and the model takes one an image. Keep one.'
        )
    found = [
        batch.classes.index(c)
        for name in names
        if (c := _class(batch, name, answer.where, problems)) is not None
    ]
    return found if batch.several else (found[0] if found else None)


def _box(
    batch: Batch, image: BatchImage, box: ParsedBox, rules: Rules, problems: list[str]
) -> dict | None:
    """The box in the project's terms; None, and a problem, if it cannot be one."""
    place = f'{box.where} on {image.file_name}'
    name = _class(batch, box.category, place, problems)
    if problem := _not_a_box(box.bbox):
        problems.append(f'{place}: {problem}')
        return None
    x, y, w, h = map(float, box.bbox)
    left, top, right, bottom = (
        max(x, 0.0),
        max(y, 0.0),
        min(x + w, image.width),
        min(y + h, image.height),
    )
    if right <= left or bottom <= top:
        problems.append(
            f'{place}: lies outside the image ({image.width} x {image.height}): {list(box.bbox)}. '
            'Remove it.'
        )
        return None
    if not rules.clip and max(-x, -y, x + w - image.width, y + h - image.height) > EDGE:
        problems.append(
            f'{place}: passes the edge of the image ({image.width} x {image.height}): {list(box.bbox)}. '
            'Draw it anew, or say --clip to cut such boxes at the edge.'
        )
        return None
    return (
        None
        if name is None
        else dict(
            bbox=[left, top, right - left, bottom - top],
            category=name,
            **({'iscrowd': 1} if box.crowd else {}),
        )
    )


def _not_a_box(bbox) -> str | None:
    if (
        not isinstance(bbox, (list, tuple))
        or len(bbox) != 4
        or not all(isinstance(v, Real) and not isinstance(v, bool) for v in bbox)
    ):
        return f'expected four numbers as bbox (x, y, width, height), found {short_repr(bbox)}. Draw a rectangle.'
    if None in map(finite_float, bbox):
        return f'bbox has a number that is not finite: {short_repr(list(bbox))}. Draw it anew.'
    if min(bbox[2:]) <= 0:
        return f'width and height must be above 0, found {list(bbox)}. Remove it or draw it anew.'
    return None


def _not_pixels(batch: Batch, entries: dict[str, dict]) -> str | None:
    """'1' or '100' if all boxes, three or more and on images over twice that size, end within it."""
    ends = [
        (b['bbox'][0] + b['bbox'][2], b['bbox'][1] + b['bbox'][3])
        for e in entries.values()
        for b in e.get('boxes', ())
    ]
    sizes = [
        (i.width, i.height) for k in entries if entries[k].get('boxes') for i in (batch.by_text[k],)
    ]
    for limit in (1, 100):
        if len(ends) >= 3 and max(map(max, ends)) <= limit and min(map(min, sizes)) > 2 * limit:
            return str(limit)
    return None
