"""Labels that exist before a run: its first labeled set, for which nobody is asked.

``train_cfg.initial`` names them: a COCO file, a list of {id, label}, a table, a dataset config, or
'annotated' for what the training set itself has labels of.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from mmal.annotation.conversion import (
    class_names,
    coco_annotations,
    image_label,
    labeled_images,
    without_unusable,
)
from mmal.annotation.match_rules import MatchRule
from mmal.annotation.parsed import ParsedImage, ParsedSet, finite_float
from mmal.annotation.problem_lines import problem_lines
from mmal.annotation.reader import parse_labels, unpack
from mmal.annotation.records import CocoAnnotation
from mmal.errors import InputError
from mmal.fileio.checksummed import digest_bytes
from mmal.fileio.text import json_bytes
from mmal.oracles.base import OracleResponse

from .label_matching import Matches, PoolImages

if TYPE_CHECKING:
    from mmal.adapters.base import Annotation, DataAdapter

GivenSource: TypeAlias = str | dict[str, Any]
"""Where labels come from: a path, a dataset config, or :data:`ANNOTATED`."""

ANNOTATED = 'annotated'
"""Stands for the images that the training set holds an annotation of."""
MAX_PROBLEMS = 10
"""Problems that a message names, those that are alike counted as one."""
TRAINING_SET = 'the training set itself'
"""What such labels are called."""
MAX_NAMES = 3
"""Images that a note names."""


@dataclass(frozen=True)
class GivenLabels:
    """Labels that exist already, in the pool's terms.

    Attributes:
        source: Where they come from, in words.
        ids: Ids of the labeled images, in the pool's order.
        annotations: Their annotations, with or without ids.
        seconds: Time that labeling took, in seconds, by image id, where the file says it.
        notes: What the user should know, one sentence without a full stop each.
    """

    source: str
    ids: list[Hashable]
    annotations: list[Annotation]
    seconds: dict[Hashable, float]
    notes: list[str]

    @property
    def digest(self) -> str:
        """Checksum of what they say, whatever the form of the file."""
        content = json_bytes([self.ids, self.annotations])
        return f'{len(self.ids)} images, sha256 {digest_bytes(content)}'

    def response(self, ids: Iterable[Hashable]) -> OracleResponse:
        """The labels of some of the images, as an oracle would give them.

        Args:
            ids: Ids of images.
        """
        wanted = list(ids)
        known = set(wanted)
        annotations = []
        for annotation in self.annotations:
            if _image_id(annotation) in known:
                annotations.append(annotation)
        seconds = {key: value for key, value in self.seconds.items() if key in known}
        return OracleResponse(wanted, annotations, seconds, skipped=[])

    def without(self, ids: Iterable[Hashable]) -> GivenLabels:
        """The labels of the other images.

        Args:
            ids: Ids of images.

        Raises:
            InputError: If there are no others.
        """
        removed = set(ids)
        kept = [image_id for image_id in self.ids if image_id not in removed]
        n_removed = len(self.ids) - len(kept)
        if not n_removed:
            return self
        if not kept:
            raise InputError(
                f'train_cfg.initial, {self.source}: all {n_removed} labeled images are in the '
                'evaluation set, too, and are left out (--drop). Give labels of others.'
            )
        response = self.response(kept)
        note = f'labels of {n_removed} images are left out, because they are in the evaluation set'
        return GivenLabels(
            self.source, kept, response.annotations, response.seconds, [*self.notes, note]
        )


def _image_id(annotation: Mapping[str, Any]) -> Hashable:
    key = 'image_id' if 'image_id' in annotation else 'id'
    image_id: Hashable = annotation[key]
    return image_id


def read_given_labels(
    data: DataAdapter, source: GivenSource, rules: Sequence[MatchRule] = ()
) -> GivenLabels:
    """Read the labels that exist, and match them to the pool.

    Args:
        data: Data side of the task.
        source: Where they come from.
        rules: Rules by which a name may differ from that of an image of the pool. Defaults to none
            but what is always taken.

    Returns:
        The labels.

    Raises:
        InputError: If they cannot be read, an image is not in the pool or stands twice, a class is
            unknown, or there is no annotation at all.
    """
    if source == ANNOTATED:
        return _annotated_part(data)
    name = _source_name(source)
    try:
        return _match(data, name, _parse(data, source), rules)
    except InputError as e:
        raise InputError(f'train_cfg.initial, {name}: {e}') from None


def _source_name(source: GivenSource) -> str:
    if isinstance(source, str):
        return source
    return str(source.get('ann_file') or source.get('data_root') or 'the dataset')


def _annotated_part(data: DataAdapter) -> GivenLabels:
    # What is to be noted of them is said by the checks before a run.
    data.check_truth()
    ids = data.annotated_ids
    if not ids:
        raise InputError(
            f"train_cfg.initial='{ANNOTATED}': the training set has no annotation at all. Give the "
            'path of a file of labels, or a number of images to be labeled first.'
        )
    annotations: list[Annotation] = data.ground_truth(ids)
    return GivenLabels(TRAINING_SET, ids, annotations, seconds={}, notes=[])


def _parse(data: DataAdapter, source: GivenSource) -> ParsedSet:
    if isinstance(source, str):
        return _read_file(data, source)
    return data.parse_dataset(source)


def _read_file(data: DataAdapter, path: str) -> ParsedSet:
    if not os.path.isfile(path):
        raise InputError(
            'there is no such file. Expected the number of images to be labeled first, the path of '
            'a file of labels (COCO; {id, label} or CSV for whole images), a dataset config, or '
            f"'{ANNOTATED}'."
        )
    content = unpack(Path(path).read_bytes())
    parsed = parse_labels(content, data.has_boxes, classes=data.classes)
    folders = [os.path.dirname(os.path.abspath(path))]
    if data.is_local:
        folders.insert(0, data.image_root())
    return ParsedSet(parsed, list(dict.fromkeys(folders)))


def _match(
    data: DataAdapter, name: str, parsed: ParsedSet, rules: Sequence[MatchRule]
) -> GivenLabels:
    """Labels of a file in the pool's terms."""
    images = labeled_images(parsed.file, data.has_boxes)
    _refuse(parsed.file.problems)
    _require_labels(images, data.has_boxes)
    _require_classes(images, data.classes)
    pool = PoolImages(data)
    matches = pool.match(images, parsed.folders, rules)
    sizes = _size_faults(data, matches)
    _refuse(matches.problems + sizes, matches.advice)
    ids = [image['id'] for image in data.images if image['id'] in matches.images]
    annotations, notes = _convert(data, matches, ids)
    notes = matches.notes + _notes(parsed, data, matches, pool.copies_of(ids)) + notes
    seconds = {}
    for image_id, image in matches.images.items():
        value = finite_float(image.seconds)
        if value is not None and value >= 0:
            seconds[image_id] = value
    return GivenLabels(name, ids, annotations, seconds, notes)


def _refuse(problems: Sequence[str], advice: str = '') -> None:
    if not problems:
        return
    plural = 's' if len(problems) > 1 else ''
    lines = [f'{len(problems)} problem{plural}:', *problem_lines(problems, MAX_PROBLEMS)]
    sentences = [
        advice,
        'Mend the file.',
        '`mmal init IMAGES --labeled FILE` makes a project whose pool has the labeled images.',
    ]
    raise InputError('\n  '.join(lines) + '\n' + ' '.join(filter(None, sentences)))


def _require_labels(images: Sequence[ParsedImage], has_boxes: bool) -> None:
    if any(image.boxes or image.labels for image in images):
        return
    what = 'box' if has_boxes else 'label'
    raise InputError(
        f'has no {what} at all in {len(images)} images, so there is nothing to learn from. Give '
        'the file that has the labels, or a number of images to be labeled first.'
    )


def _require_classes(images: Sequence[ParsedImage], classes: Sequence[str]) -> None:
    unknown = []
    for name in class_names(images):
        if name not in classes:
            unknown.append(repr(name))
    if unknown:
        raise InputError(
            f'has labels of {", ".join(unknown)}, expected only classes of the config: '
            f'{", ".join(classes)}. Rename them in the file, or add them to metainfo.classes of '
            'every dataset and raise num_classes.'
        )


def _size_faults(data: DataAdapter, matches: Matches) -> list[str]:
    """Images that the file says to be of another size than the pool, so that boxes do not fit."""
    faults = []
    for image_id, image in matches.images.items():
        info = data.file_info(image_id)
        expected = (info.get('width'), info.get('height'))
        if image.size is None or None in image.size or None in expected:
            continue
        if image.size != expected:
            faults.append(
                f'{image.where}: {info["file_name"]} is {image.size[0]} x {image.size[1]} there '
                f'and {expected[0]} x {expected[1]} in the pool, so its boxes may lie in wrong '
                'places.'
            )
    return faults


def _convert(
    data: DataAdapter, matches: Matches, ids: Sequence[Hashable]
) -> tuple[list[Annotation], list[str]]:
    """Annotations of the images with the pool's ids and categories, and notes."""
    if data.has_boxes:
        return _convert_boxes(data, matches, ids)
    annotations: list[Annotation] = []
    faults: list[str] = []
    for image_id in ids:
        image = matches.images[image_id]
        label, fault = image_label(image, image_id, data.classes, data.several_labels)
        if label is not None:
            annotations.append(label)
        if fault is not None:
            faults.append(fault)
    _refuse(faults)
    return annotations, []


def _convert_boxes(
    data: DataAdapter, matches: Matches, ids: Sequence[Hashable]
) -> tuple[list[Annotation], list[str]]:
    """Boxes of the images with the pool's ids and categories, and notes on those that are none."""
    images = []
    boxes: list[CocoAnnotation] = []
    faults: list[str] = []
    category_ids = {category['name']: category['id'] for category in data.categories}
    for image_id in ids:
        images.append(dict(data.file_info(image_id), id=image_id))
        own_boxes, own_faults = coco_annotations(matches.images[image_id], image_id, category_ids)
        boxes += own_boxes
        faults += own_faults
    _refuse(faults)
    usable, examination = without_unusable(images, boxes)
    if examination.refusal is not None:
        raise InputError(examination.refusal)
    annotations: list[Annotation] = []
    annotations += usable
    return annotations, examination.notes


def _notes(
    parsed: ParsedSet,
    data: DataAdapter,
    matches: Matches,
    copies: Mapping[str, str],
) -> list[str]:
    """What the user should know of how the labels fit the pool."""
    notes = list(parsed.file.notes)
    listed = [name for name in parsed.file.classes if name in data.classes]
    if listed and listed != [name for name in data.classes if name in listed]:
        order = ', '.join(listed)
        notes.append(f'its classes come in another order ({order}), and are matched by name')
    n_empty = 0
    if data.has_boxes:
        n_empty = sum(not image.boxes for image in matches.images.values())
    if n_empty:
        notes.append(f'{n_empty} images have no box: they count as labeled, and show no object')
    if matches.renamed:
        pairs = [f'{name} is {other!r}' for name, other in matches.renamed.items()]
        notes.append(
            f'{len(pairs)} of the images are in the pool under another name, found by content '
            f'({_shown(pairs)})'
        )
    if copies:
        pairs = [f'{name} is {other}' for name, other in copies.items()]
        notes.append(
            f'{len(pairs)} other images of the pool are byte-identical to a labeled one '
            f'({_shown(pairs)}), and nothing is to be learned from them'
        )
    return notes


def _shown(names: Sequence[str]) -> str:
    text = ', '.join(names[:MAX_NAMES])
    return f'{text}, ...' if len(names) > MAX_NAMES else text
