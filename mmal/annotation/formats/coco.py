"""COCO files out and in; a variant that CVAT imports, whose exports come back in the same form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmal.annotation.parsed import ROTATED, ParsedBox, ParsedImage, is_object_list, short_repr
from mmal.errors import InputError

if TYPE_CHECKING:
    from mmal.annotation.batch import Batch


def export(batch: Batch) -> dict:
    """The batch with the model's predictions as annotations that have a ``score``; images have ``rank`` and ``score``.

    Ids of images and categories are those of the pool.
    """
    images = [
        dict(
            id=i.id,
            file_name=i.file_name,
            width=i.width,
            height=i.height,
            rank=i.rank,
            **({} if i.score is None else dict(score=i.score)),
        )
        for i in batch.images
    ]
    return dict(
        images=images,
        annotations=_predictions(batch, [i.id for i in batch.images]),
        categories=batch.categories,
    )


def export_cvat(batch: Batch) -> dict:
    """The same as CVAT's "COCO 1.0" wants it: whole-numbered ids from 1, and score and rank as attributes."""
    ids = list(range(1, len(batch.images) + 1))
    images = [
        dict(
            id=n,
            file_name=i.file_name,
            width=i.width,
            height=i.height,
            license=0,
            flickr_url='',
            coco_url='',
            date_captured=0,
        )
        for n, i in zip(ids, batch.images, strict=True)
    ]
    rank = {n: i.rank for n, i in zip(ids, batch.images, strict=True)}
    annotations = [
        {
            **{k: v for k, v in a.items() if k != 'score'},
            'segmentation': [],
            'attributes': dict(occluded=False, score=a['score'], rank=rank[a['image_id']]),
        }
        for a in _predictions(batch, ids)
    ]
    order = {c['id']: n + 1 for n, c in enumerate(batch.categories)}
    for a in annotations:
        a['category_id'] = order[a['category_id']]
    return dict(
        licenses=[dict(name='', id=0, url='')],
        info=dict(description=batch.name),
        images=images,
        annotations=annotations,
        categories=[
            dict(id=order[c['id']], name=c['name'], supercategory='') for c in batch.categories
        ],
    )


def _predictions(batch: Batch, ids: list) -> list[dict]:
    found = [
        dict(image_id=n, **a)
        for n, image in zip(ids, batch.images, strict=True)
        for a in predicted(image.predictions, batch.classes, batch.categories)
    ]
    return [dict(id=k + 1, **a) for k, a in enumerate(found)]


def predicted(
    predictions: list[dict], classes: Sequence[str], categories: list[dict]
) -> list[dict]:
    """Predictions of an image, as in ``chosen.json``, as annotations with a ``score`` and without ids.

    Args:
        predictions: Dicts of ``label`` (class index), ``score`` and ``bbox``.
        classes: Names by index.
        categories: Of the COCO file.
    """
    category = {c['name']: c['id'] for c in categories}
    return [
        dict(
            category_id=category[classes[p['label']]],
            bbox=p['bbox'],
            area=p['bbox'][2] * p['bbox'][3],
            iscrowd=0,
            score=p['score'],
        )
        for p in predictions
    ]


def parse(content: dict) -> tuple[list[ParsedImage], list[str]]:
    """Answers of a COCO file, and what is wrong with it as a whole.

    An image is 'unsure': labeling tools list what nobody looked at, too, with whatever boxes they were given. An entry
    ``"labeled": true`` or ``false`` decides it.
    """
    for part in ('images', 'annotations', 'categories'):
        if not is_object_list(content[part]):
            raise InputError(
                f'is no COCO file: expected a list of objects as {part!r}, found {short_repr(content[part])}. '
                'Export it again.'
            )
    names, problems = _category_names(content['categories'])
    known = [image.get('id') for image in content['images']]
    boxes: dict = {i: [] for i in known if _hashable(i)}
    for n, a in enumerate(content['annotations']):
        where = f'annotations[{n}] (id {short_repr(a.get("id"))})'
        owner = a.get('image_id')
        if not _hashable(owner) or owner not in boxes:
            problems.append(
                f'{where}: image_id {short_repr(owner)} is not in the image list of the file. Export again, or '
                'remove the annotation.'
            )
            continue
        attributes = a.get('attributes')
        if isinstance(attributes, dict) and attributes.get('rotation'):
            problems.append(f'{where}: {ROTATED}')
        category = a.get('category_id')
        name = (
            names.get(category, f'category id {short_repr(category)}')
            if _hashable(category)
            else short_repr(category)
        )
        boxes[owner].append(ParsedBox(name, a.get('bbox'), where, int(bool(a.get('iscrowd', 0)))))
    problems += _twice(known)
    return [_answer(n, image, boxes) for n, image in enumerate(content['images'])], problems


def _answer(n: int, image: dict, boxes: dict) -> ParsedImage:
    owned = boxes.get(image.get('id'), []) if _hashable(image.get('id')) else []
    said = image.get('labeled')
    state = 'labeled' if said is True else 'unlabeled' if said is False else 'unsure'
    name = image.get('file_name')  # tools renumber ids, so a name decides where there is one
    return ParsedImage(
        image.get('id') if name is None else None,
        name,
        f'images[{n}]',
        owned,
        state=state,
        size=(image.get('width'), image.get('height')),
    )


def _category_names(categories: list[dict]) -> tuple[dict, list[str]]:
    """Name by id; the same id for two names cannot be told apart."""
    names, problems = {}, []
    for n, c in enumerate(categories):
        if c.get('id') is None or not _hashable(c['id']):
            problems.append(
                f'categories[{n}]: {short_repr(c.get("id"))} is no id. Export it again.'
            )
        elif names.setdefault(c['id'], c.get('name')) != c.get('name'):
            problems.append(
                f'categories[{n}]: id {short_repr(c["id"])} stands for {short_repr(names[c["id"]])} and for '
                f'{short_repr(c.get("name"))}, '
                'so their boxes cannot be told apart. Remove labels that the project does not have, or '
                "export in the tool's own format."
            )
    return names, problems


def _twice(ids: list) -> list[str]:
    return [
        f'images: id {short_repr(i)} stands {n} times. Ids must be unique: export again.'
        for i, n in Counter(i for i in ids if _hashable(i)).items()
        if n > 1
    ]


def _hashable(value) -> bool:
    return value is None or isinstance(value, (int, float, str))
