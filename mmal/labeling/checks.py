"""What is believed of a file, and why the rest is not: every fault is named with its image, its place and the cure."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from difflib import get_close_matches
from numbers import Real
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from .answer import Answer, Box

if TYPE_CHECKING:
    from .batch import Batch, BatchImage

EDGE = 1.0
"""Pixels by which a box may pass the edge of its image and be cut without a word: rounding of tools."""
CLASSES_SHOWN = 10


@dataclass(frozen=True)
class Rules:
    """What the user has said about a file.

    Attributes:
        clip: Cut boxes at the edge of the image, however far they pass it.
        without_boxes: What an image without boxes is where the format cannot say: 'empty', 'unlabeled', or None to ask.
        pixels: The numbers are pixels although they look like percents or shares.
    """
    clip: bool = False
    without_boxes: str | None = None
    pixels: bool = False


@dataclass
class Believed:
    """What a file comes to.

    Attributes:
        entries: By text of the image id: ``boxes`` (bbox, category name, crowd) or ``label`` (class index or list of
            them), ``who`` and ``seconds``.
        skipped: Texts of ids of images that whoever was to label them skipped.
        problems: Lines, each with image, place and cure.
    """
    entries: dict[str, dict] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def check(batch: Batch, answers: list[Answer], rules: Rules) -> Believed:
    """Compare the answers of a file with what was asked."""
    found, seen, unsure = Believed(), {}, []
    for answer in answers:
        image, problem = _image_of(batch, answer)
        if problem:
            found.problems.append(f'{answer.where}: {problem}')
            continue
        if image.id in seen:
            found.problems.append(f'{answer.where}: {image.file_name} stands in {seen[image.id]}, too. Keep one.')
            continue
        seen[image.id] = answer.where
        if answer.state == 'unsure' and rules.without_boxes is None:
            unsure.append(image.file_name)
        elif answer.state == 'skipped':
            found.skipped.append(str(image.id))
        elif answer.state == 'labeled' or (answer.state == 'unsure' and rules.without_boxes == 'empty'):
            _believe(batch, image, answer, rules, found)
    if unsure:
        found.problems.append(
            f'{len(unsure)} images have no box, e.g. {unsure[0]}, and this format cannot say whether they were looked '
            'at. Say --without-boxes empty (they show no object) or --without-boxes unlabeled (they come again).')
    if not rules.pixels and (what := _not_pixels(batch, found.entries)):
        found.problems.append(f'Every box lies within {what} of the image sizes: the numbers look like '
                              f'{"shares" if what == "1" else "percents"}, expected pixels. Export in pixels, or say '
                              '--pixels if they are.')
    return found


def _image_of(batch: Batch, answer: Answer) -> tuple[BatchImage | None, str | None]:
    """The image an answer is about, or why there is none."""
    name = answer.file_name
    by_id = None if answer.image_id is None else batch.by_text.get(str(answer.image_id))
    if name is None:
        if by_id is None:
            return None, f'image id {answer.image_id!r} is not in batch {batch.name}. {_OTHER_BATCH}'
        return by_id, None
    if not isinstance(name, str):
        return None, f'file_name: expected text, found {name!r}.'
    by_name = batch.by_name.get(name)
    if by_name is None and (strange := _strange(name)):
        return None, f'{name!r} {strange}. Expected a name as in {batch.name}/to_label, below the images\' folder.'
    by_name = by_name or _by_tail(batch, name)
    if by_name is None:
        return None, f'{name!r} is not in batch {batch.name}. {_OTHER_BATCH}'
    if answer.image_id is not None and by_id is not by_name:
        return None, (f'{name!r} comes with id {answer.image_id!r}, but has id {by_name.id!r} in batch {batch.name}. '
                      'Name and id must agree: export again.')
    return by_name, None


_OTHER_BATCH = 'If it belongs to another batch, import the file there; else remove it.'


def _strange(name: str) -> str | None:
    path = PurePosixPath(name.replace('\\', '/'))
    if '..' in path.parts:
        return 'has ".." in it'
    return 'is an absolute name' if path.is_absolute() or (len(name) > 1 and name[1] == ':') else None


def _by_tail(batch: Batch, name: str) -> BatchImage | None:
    """The one image whose name ends with this name; tools drop folders."""
    parts = PurePosixPath(name).parts
    found = [i for i in batch.images if parts and PurePosixPath(i.file_name).parts[-len(parts):] == parts]
    return found[0] if len(found) == 1 else None


def _believe(batch: Batch, image: BatchImage, answer: Answer, rules: Rules, found: Believed) -> None:
    entry = {k: v for k, v in (('who', answer.who), ('seconds', answer.seconds)) if v is not None}
    if entry.get('seconds') is not None and not (math.isfinite(entry['seconds']) and entry['seconds'] >= 0):
        found.problems.append(f'{answer.where}: seconds of {image.file_name}: expected at least 0, found '
                              f'{entry["seconds"]}.')
    problems: list[str] = []
    if batch.boxes:
        entry['boxes'] = [b for box in answer.boxes if (b := _box(batch, image, box, rules, problems)) is not None]
        if wrong := _size_differs(image, answer.size):
            problems.append(f'{answer.where}: {wrong}')
    else:
        entry['label'] = _label(batch, answer, problems)
    found.problems += problems
    found.entries[str(image.id)] = entry


def _size_differs(image: BatchImage, size: tuple | None) -> str | None:
    if size is None or None in size or not all(isinstance(s, Real) for s in size):
        return None
    if tuple(map(round, size)) != (image.width, image.height):
        return (f'{image.file_name} is {size[0]} x {size[1]} there and {image.width} x {image.height} here, so its '
                'boxes may lie in wrong places. Is it the same image, turned the same way?')
    return None


def _class(batch: Batch, name: Hashable, place: str, problems: list[str]) -> str | None:
    if name in batch.classes:
        return name
    near = get_close_matches(str(name).strip().lower(), [c.lower() for c in batch.classes], 1, 0.8)
    meant = next((c for c in batch.classes if near and c.lower() == near[0]), None)
    some = ', '.join(batch.classes[:CLASSES_SHOWN]) + (', ...' if len(batch.classes) > CLASSES_SHOWN else '')
    problems.append(f'{place}: {name!r} is no class of this project'
                    + (f'. Was {meant!r} renamed? Name it as here.' if meant else f' ({some}). Use one of them.'))
    return None


def _label(batch: Batch, answer: Answer, problems: list[str]) -> int | list[int] | None:
    several = isinstance(answer.label, list)
    names = answer.label if several else [answer.label]
    if not names:
        problems.append(f'{answer.where}: expected a class, found none. Choose one, or skip the image.')
    if len(set(map(str, names))) < len(names):
        problems.append(f'{answer.where}: a class stands twice: {names}.')
    found = [batch.classes.index(c) for name in names if (c := _class(batch, name, answer.where, problems)) is not None]
    return found if several else (found[0] if found else None)


def _box(batch: Batch, image: BatchImage, box: Box, rules: Rules, problems: list[str]) -> dict | None:
    """The box in the project's terms; None, and a problem, if it cannot be one."""
    place = f'{box.where} on {image.file_name}'
    name = _class(batch, box.category, place, problems)
    if problem := _not_a_box(box.bbox):
        problems.append(f'{place}: {problem}')
        return None
    x, y, w, h = map(float, box.bbox)
    left, top, right, bottom = max(x, 0.0), max(y, 0.0), min(x + w, image.width), min(y + h, image.height)
    if right <= left or bottom <= top:
        problems.append(f'{place}: lies outside the image ({image.width} x {image.height}): {list(box.bbox)}. '
                        'Remove it.')
        return None
    if not rules.clip and max(-x, -y, x + w - image.width, y + h - image.height) > EDGE:
        problems.append(f'{place}: passes the edge of the image ({image.width} x {image.height}): {list(box.bbox)}. '
                        'Draw it anew, or say --clip to cut such boxes at the edge.')
        return None
    return None if name is None else dict(bbox=[left, top, right - left, bottom - top], category=name,
                                          **({'iscrowd': 1} if box.crowd else {}))


def _not_a_box(bbox) -> str | None:
    if not isinstance(bbox, (list, tuple)) or len(bbox) != 4 or not all(
            isinstance(v, Real) and not isinstance(v, bool) for v in bbox):
        return f'expected four numbers as bbox (x, y, width, height), found {bbox!r}. Draw a rectangle.'
    if not all(map(math.isfinite, bbox)):
        return f'bbox has a number that is not finite: {list(bbox)}. Draw it anew.'
    if min(bbox[2:]) <= 0:
        return f'width and height must be above 0, found {list(bbox)}. Remove it or draw it anew.'
    return None


def _not_pixels(batch: Batch, entries: dict[str, dict]) -> str | None:
    """'1' or '100' if all boxes, three or more and on images over twice that size, end within it."""
    ends = [(b['bbox'][0] + b['bbox'][2], b['bbox'][1] + b['bbox'][3]) for e in entries.values()
            for b in e.get('boxes', ())]
    sizes = [(i.width, i.height) for k in entries if entries[k].get('boxes') for i in (batch.by_text[k], )]
    for limit in (1, 100):
        if len(ends) >= 3 and max(map(max, ends)) <= limit and min(map(min, sizes)) > 2 * limit:
            return str(limit)
    return None
