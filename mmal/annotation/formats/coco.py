"""COCO files, and a variant for CVAT, whose exports come back in the same form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from mmal.errors import InputError

from ..batch import Batch
from ..parsed import (
    ROTATED,
    JsonObject,
    LabelState,
    ParsedBox,
    ParsedFile,
    ParsedImage,
    is_object_list,
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
    """Parse a COCO file.

    Images are 'unsure': labeling tools also list those that nobody looked at, with whatever boxes
    they were given. An entry ``"labeled": true`` or ``false`` of an image decides it.

    Args:
        content: The file, with the keys ``images``, ``annotations`` and ``categories``.

    Raises:
        InputError: If one of the three is not a list of objects.
    """
    for part in ('images', 'annotations', 'categories'):
        if not is_object_list(content[part]):
            raise InputError(
                f'is no COCO file: expected a list of objects as {part!r}, found '
                f'{short_repr(content[part])}. Export it again.'
            )
    names, problems = _category_names(content['categories'])
    image_ids = [image.get('id') for image in content['images']]
    boxes: dict[Hashable, list[ParsedBox]] = {i: [] for i in image_ids if _is_id(i)}
    for n, annotation in enumerate(content['annotations']):
        where = f'annotations[{n}] (id {short_repr(annotation.get("id"))})'
        image_id = annotation.get('image_id')
        if not _is_id(image_id) or image_id not in boxes:
            problems.append(
                f'{where}: image_id {short_repr(image_id)} is not in the image list of the file. '
                'Export again, or remove the annotation.'
            )
            continue
        if _is_rotated(annotation):
            problems.append(f'{where}: {ROTATED}')
        boxes[image_id].append(_parse_box(annotation, names, where))
    problems += _repeated_ids(image_ids)
    images = []
    for n, image in enumerate(content['images']):
        image_id = image.get('id')
        own_boxes = boxes[image_id] if _is_id(image_id) else []
        images.append(_parse_image(image, own_boxes, f'images[{n}]'))
    classes = [category.get('name') for category in content['categories']]
    return ParsedFile(images, problems, classes=classes)


def _parse_image(image: JsonObject, boxes: list[ParsedBox], where: str) -> ParsedImage:
    state: LabelState = 'unsure'
    if image.get('labeled') is True:
        state = 'labeled'
    elif image.get('labeled') is False:
        state = 'unlabeled'
    # tools renumber ids, so a name decides where there is one
    name = image.get('file_name')
    image_id = image.get('id') if name is None else None
    size = (image.get('width'), image.get('height'))
    return ParsedImage(image_id, name, where, boxes, state=state, size=size)


def _parse_box(annotation: JsonObject, names: dict[Hashable, Any], where: str) -> ParsedBox:
    category_id = annotation.get('category_id')
    if not _is_id(category_id):
        name = short_repr(category_id)
    elif category_id in names:
        name = names[category_id]
    else:
        name = f'category id {short_repr(category_id)}'
    crowd = int(bool(annotation.get('iscrowd', 0)))
    return ParsedBox(name, annotation.get('bbox'), where, crowd, annotation)


def _is_rotated(annotation: JsonObject) -> bool:
    """Whether CVAT has turned the box."""
    attributes = annotation.get('attributes')
    return isinstance(attributes, dict) and bool(attributes.get('rotation'))


def _category_names(categories: list[JsonObject]) -> tuple[dict[Hashable, Any], list[str]]:
    """Category names by id, and faults: boxes of one id for two names cannot be told apart."""
    names: dict[Hashable, Any] = {}
    problems = []
    for n, category in enumerate(categories):
        category_id = category.get('id')
        name = category.get('name')
        if category_id is None or not _is_id(category_id):
            problems.append(
                f'categories[{n}]: {short_repr(category_id)} is no id. Export it again.'
            )
        elif names.setdefault(category_id, name) != name:
            problems.append(
                f'categories[{n}]: id {short_repr(category_id)} stands for '
                f'{short_repr(names[category_id])} and for {short_repr(name)}, '
                'so their boxes cannot be told apart. Remove labels that the project does not '
                "have, or export in the tool's own format."
            )
    return names, problems


def _repeated_ids(image_ids: list[Any]) -> list[str]:
    """Faults of ids that stand for several images."""
    counts = Counter(image_id for image_id in image_ids if _is_id(image_id))
    return [
        f'images: id {short_repr(image_id)} stands {count} times. Ids must be unique: export again.'
        for image_id, count in counts.items()
        if count > 1
    ]


def _is_id(value: Any) -> bool:
    """Whether a value can be looked up as an id; a missing id is None."""
    return value is None or isinstance(value, (int, float, str))
