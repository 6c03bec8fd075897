"""Labels that came back for a selection, joined to those that it was given."""

from __future__ import annotations

import os
from collections.abc import Hashable
from itertools import count
from pathlib import Path
from typing import Any

from mmal.annotation.batch import Batch
from mmal.annotation.label_store import LabelStore
from mmal.annotation.records import by_image
from mmal.fileio.atomic import write_bytes
from mmal.fileio.text import read_json, write_json
from mmal.pool.cost_model import write_costs
from mmal.pool.score_table import pseudo_boxes_of

from .costs import cost_model
from .layout import SelectionPaths


def is_selection(folder: str | Path) -> bool:
    """Whether a folder holds a selection by a given checkpoint.

    Args:
        folder: The folder.
    """
    return SelectionPaths(Path(folder)).manifest.exists()


def join_labels(folder: str | Path) -> Path:
    """Write ``labeled.json``: what was labeled before, and what has come back since.

    Images have absolute paths. It is a COCO file; or a list of {id, label}, whose ids are paths,
    with ``labeled.txt`` beside it, which mmpretrain's CustomDataset reads. ``costs.csv`` gets what
    the new labels cost.

    Args:
        folder: Folder of the selection.

    Returns:
        Path of ``labeled.json``.

    Raises:
        CorruptStateError: If a file is not what was written.
    """
    paths = SelectionPaths(Path(folder))
    batch = Batch.read(folder)
    labels = LabelStore.read(folder)
    before = read_json(paths.labeled_before)
    if batch.has_boxes:
        write_json(paths.labeled, _joined_boxes(before, batch, labels), indent=None)
    else:
        entries = _joined_classes(before, batch, labels)
        write_json(paths.labeled, entries, indent=None)
        if not batch.several_labels:
            lines = [f'{entry["id"]} {entry["label"]}\n' for entry in entries]
            text = ''.join(lines).encode(errors='surrogateescape')
            write_bytes(paths.labeled.with_suffix('.txt'), text)
    _write_costs(paths, batch, labels)
    return paths.labeled


def _joined_boxes(before: dict[str, Any], batch: Batch, labels: LabelStore) -> dict[str, Any]:
    new: Any = labels.annotation_file(batch)
    images = list(before['images'])
    for image in new['images']:
        images.append(dict(image, file_name=_path(batch, image['file_name'])))
    annotations = list(before['annotations'])
    free_ids = count(1 + max((box['id'] for box in annotations), default=0))
    for box in new['annotations']:
        annotations.append(dict(box, id=next(free_ids)))
    return dict(images=images, annotations=annotations, categories=before['categories'])


def _joined_classes(
    before: list[dict[str, Any]], batch: Batch, labels: LabelStore
) -> list[dict[str, Any]]:
    entries = []
    for entry in [*before, *labels.annotations(batch)]:
        entries.append(dict(id=_path(batch, str(entry['id'])), label=entry['label']))
    return entries


def _path(batch: Batch, name: str) -> str:
    return os.path.normpath(os.path.join(batch.root, name))


def _write_costs(paths: SelectionPaths, batch: Batch, labels: LabelStore) -> None:
    id_of = {str(image_id): image_id for image_id in read_json(paths.artifact('select'))}
    counts = pseudo_boxes_of(paths.artifact('score'), id_of)
    pseudo_boxes: dict[Hashable, int] = {id_of[text]: count for text, count in counts.items()}
    annotations = by_image(labels.annotations(batch))
    true_boxes: dict[Hashable, int] = {}
    seconds: dict[Hashable, float] = {}
    for image in labels.labeled(batch):
        true_boxes[image.id] = len(annotations.get(image.id, ()))
        entry = labels.entries[str(image.id)]
        if 'seconds' in entry:
            seconds[image.id] = entry['seconds']
    write_costs(paths.costs, cost_model(paths.folder, 0), pseudo_boxes, true_boxes, seconds)
