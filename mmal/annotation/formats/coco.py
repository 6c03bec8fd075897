"""COCO files, and a variant for CVAT, whose exports come back in the same form."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from ..batch import Batch
from ..coco_file import read_contents
from ..parsed import (
    ROTATED,
    JsonObject,
    LabelState,
    ParsedBox,
    ParsedFile,
    ParsedImage,
    short_repr,
)
from ..records import Prediction


def export(batch: Batch) -> dict[str, Any]:
    """Make a COCO file with the model's predictions as annotations that have a ``score``.

    Images have ``rank`` and, if there is one, ``score``. Ids of images and categories are those of
    the pool.

    Args:
        batch: The batch to export.
    """
    images = []
    for image in batch.images:
        entry: dict[str, Any] = {
            'id': image.id,
            'file_name': image.file_name,
            'width': image.width,
            'height': image.height,
            'rank': image.rank,
        }
        if image.score is not None:
            entry['score'] = image.score
        images.append(entry)
    return {
        'images': images,
        'annotations': _predictions(batch, [image.id for image in batch.images]),
        'categories': batch.categories,
    }


def export_cvat(batch: Batch) -> dict[str, Any]:
    """Make the same file as CVAT's "COCO 1.0" requires it.

    Ids are whole numbers from 1, and score and rank are attributes of annotations.

    Args:
        batch: The batch to export.
    """
    images = []
    for number, image in enumerate(batch.images, start=1):
        entry = {
            'id': number,
            'file_name': image.file_name,
            'width': image.width,
            'height': image.height,
            'license': 0,
            'flickr_url': '',
            'coco_url': '',
            'date_captured': 0,
        }
        images.append(entry)
    categories = []
    category_numbers = {}
    for number, category in enumerate(batch.categories, start=1):
        categories.append({'id': number, 'name': category['name'], 'supercategory': ''})
        category_numbers[category['id']] = number
    image_numbers = range(1, len(batch.images) + 1)
    annotations = []
    for annotation in _predictions(batch, image_numbers):
        score = annotation.pop('score')
        rank = batch.images[annotation['image_id'] - 1].rank
        annotation['category_id'] = category_numbers[annotation['category_id']]
        annotation['segmentation'] = []
        annotation['attributes'] = {'occluded': False, 'score': score, 'rank': rank}
        annotations.append(annotation)
    return {
        'licenses': [{'name': '', 'id': 0, 'url': ''}],
        'info': {'description': batch.name},
        'images': images,
        'annotations': annotations,
        'categories': categories,
    }


def _predictions(batch: Batch, image_ids: Iterable[Hashable]) -> list[dict[str, Any]]:
    """The model's predictions as annotations, numbered from 1.

    Args:
        batch: The batch to export.
        image_ids: Ids for the images, in the order of the batch.
    """
    annotations: list[dict[str, Any]] = []
    for image_id, image in zip(image_ids, batch.images, strict=True):
        for annotation in predicted(image.predictions, batch.classes, batch.categories):
            number = len(annotations) + 1
            annotations.append({'id': number, 'image_id': image_id, **annotation})
    return annotations


def predicted(
    predictions: Sequence[Prediction], classes: Sequence[str], categories: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Make annotations with a ``score``, and without ids, from predictions.

    Args:
        predictions: Predictions on one image, as in ``chosen.json``.
        classes: Class names by class index.
        categories: Categories of the COCO file, one per class.
    """
    category_ids = {category['name']: category['id'] for category in categories}
    annotations = []
    for prediction in predictions:
        bbox = prediction['bbox']
        annotation = {
            'category_id': category_ids[classes[prediction['label']]],
            'bbox': bbox,
            'area': bbox[2] * bbox[3],
            'iscrowd': 0,
            'score': prediction['score'],
        }
        annotations.append(annotation)
    return annotations


def parse(content: JsonObject) -> ParsedFile:
    """Parse a COCO file of labels. Annotations that cannot be read are among its problems.

    Images are 'unsure': labeling tools also list those that nobody looked at, with whatever boxes
    they were given. An entry ``"labeled": true`` or ``false`` of an image decides it. An image may
    have an id alone.

    Args:
        content: The file; see :func:`~mmal.annotation.coco_file.read_contents`.

    Raises:
        InputError: If it cannot be read.
    """
    file = read_contents(content, are_named=False)
    names = {category['id']: category['name'] for category in file.categories}
    boxes: dict[Hashable, list[ParsedBox]] = {image['id']: [] for image in file.images}
    problems = [f'{fault}.' for fault in file.faults]
    for n, annotation in zip(file.rows, file.annotations, strict=True):
        where = f'annotations[{n}] (id {short_repr(annotation["id"])})'
        if _is_rotated(annotation):
            problems.append(f'{where}: {ROTATED}')
        box = ParsedBox(
            names[annotation['category_id']],
            annotation['bbox'],
            where,
            annotation['iscrowd'],
            annotation,
        )
        boxes[annotation['image_id']].append(box)
    images = []
    for n, image in enumerate(file.images):
        images.append(_parse_image(image, boxes[image['id']], f'images[{n}]'))
    return ParsedFile(images, problems, classes=list(names.values()), notes=file.notes)


def _parse_image(image: JsonObject, boxes: list[ParsedBox], where: str) -> ParsedImage:
    state: LabelState = 'unsure'
    if image.get('labeled') is True:
        state = 'labeled'
    elif image.get('labeled') is False:
        state = 'unlabeled'
    # tools renumber ids, so a name decides where there is one
    name = image.get('file_name')
    image_id = image['id'] if name is None else None
    size = (image['width'], image['height'])
    return ParsedImage(image_id, name, where, boxes, state=state, size=size)


def _is_rotated(annotation: JsonObject) -> bool:
    """Whether CVAT has turned the box."""
    attributes = annotation.get('attributes')
    return isinstance(attributes, dict) and bool(attributes.get('rotation'))
