"""The files of a project that hold labels which existed before."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmal.annotation.conversion import coco_annotations, image_label, without_unusable
from mmal.annotation.parsed import ParsedImage
from mmal.annotation.records import CocoAnnotation
from mmal.errors import InputError
from mmal.fileio.text import write_json

from .base_config import BaseConfig
from .scan import ScannedImage


def write_labels(
    path: Path,
    images: Sequence[ScannedImage],
    labels: Mapping[str, ParsedImage],
    ids: Mapping[str, Hashable],
    classes: Sequence[str],
    base: BaseConfig,
) -> None:
    """Write the labels of some images in the form that a run reads.

    Args:
        path: Path of the file: a COCO file, or a list of {id, label} for classes of whole images.
        images: The images.
        labels: What is said of each, by name.
        ids: Ids by name.
        classes: Class names.
        base: Config that the project inherits.

    Raises:
        InputError: If a box is none, or an image has more classes than the model takes.
    """
    if base.boxes:
        write_json(path, _coco(images, labels, ids, classes), indent=None)
        return
    entries = []
    for image in images:
        label, fault = image_label(labels[image.name], ids[image.name], classes, base.multi_label)
        if fault is not None:
            raise InputError(f'{image.name}: {fault}')
        entries.append(label)
    write_json(path, entries, indent=None)


def _require_size(image: ScannedImage, said: ParsedImage) -> None:
    """Refuse boxes that were drawn on an image of another size."""
    if said.size is None or None in said.size:
        return
    if tuple(said.size) != (image.width, image.height):
        raise InputError(
            f'{image.name} is {said.size[0]} x {said.size[1]} in its file of labels and '
            f'{image.width} x {image.height} as it is loaded, so its boxes may lie in wrong '
            'places. Is it the same image, turned the same way?'
        )


def _coco(
    images: Sequence[ScannedImage],
    labels: Mapping[str, ParsedImage],
    ids: Mapping[str, Hashable],
    classes: Sequence[str],
) -> dict[str, Any]:
    category_ids = {name: n for n, name in enumerate(classes, 1)}
    entries: list[dict[str, Any]] = []
    boxes: list[CocoAnnotation] = []
    for image in images:
        image_id = ids[image.name]
        entries.append(
            dict(id=image_id, file_name=image.name, width=image.width, height=image.height)
        )
        _require_size(image, labels[image.name])
        own_boxes, faults = coco_annotations(labels[image.name], image_id, category_ids)
        if faults:
            raise InputError(f'{image.name}: {faults[0]}')
        boxes += own_boxes
    # How many are left out was said when the file was read.
    usable, _ = without_unusable(entries, boxes)
    annotations = [{**box, 'id': number} for number, box in enumerate(usable, 1)]
    categories = [dict(id=n, name=name) for name, n in category_ids.items()]
    return dict(images=entries, annotations=annotations, categories=categories)
