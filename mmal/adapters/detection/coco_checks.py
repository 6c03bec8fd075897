"""Read annotation files and refuse what mmdet would pass over in silence."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree

from mmengine import fileio

from mmal.errors import InputError


def read_coco(path: str, backend_args: dict | None = None) -> dict:
    """The contents of a COCO annotation file.

    Raises:
        InputError: If it is missing, no JSON, or lacks a part.
    """
    try:
        data = json.loads(fileio.get_text(path, backend_args=backend_args))
    except FileNotFoundError:
        raise InputError(
            f'Annotation file not found: {path}. Check data_root and ann_file of the config.'
        ) from None
    except json.JSONDecodeError as e:
        raise InputError(f'{path} is not valid JSON: {e}.') from None
    if isinstance(data, dict):
        data.setdefault('annotations', [])  # a pool of images that nobody has labeled yet
    missing = {'images', 'annotations', 'categories'} - set(data)
    if missing:
        raise InputError(
            f'{path} is not a COCO annotation file: it lacks {", ".join(sorted(missing))}.'
        )
    return data


def check_coco(content: dict, path: str, classes: Sequence[str]) -> None:
    """Check ids and categories.

    Args:
        content: Of the file.
        path: For the message.
        classes: Of the config.

    Raises:
        InputError: If an id stands twice, an entry is incomplete, a category in use is not among ``classes``, or one
            of ``classes`` has no category.
    """
    images, annotations = content['images'], content['annotations']
    for kind, entries in (('image', images), ('annotation', annotations)):
        twice = [i for i, n in Counter(entry['id'] for entry in entries).items() if n > 1]
        if twice:
            raise InputError(
                f'{path}: {kind} id {twice[0]!r} stands more than once ({len(twice)} such ids). '
                'Ids must be unique: renumber them.'
            )
    for image in images:
        if not {'file_name', 'width', 'height'} <= set(image):
            raise InputError(f'{path}: image {image["id"]!r} lacks file_name, width or height.')
    strange = {a['image_id'] for a in annotations} - {image['id'] for image in images}
    if strange:
        raise InputError(
            f'{path}: {len(strange)} annotated image ids are not in its image list, '
            f'e.g. {next(iter(strange))!r}.'
        )
    names = {category['id']: category['name'] for category in content['categories']}
    used = {a['category_id'] for a in annotations}
    _refuse_unknown(
        {str(names.get(c, f'category id {c}')) for c in used if names.get(c) not in classes},
        path,
        classes,
    )
    lacking = [c for c in classes if c not in names.values()]
    if lacking:  # mmdet numbers the categories it finds, and so would take one class for another
        raise InputError(
            f'{path}: its "categories" lack {", ".join(map(repr, lacking))} of the config\'s classes. '
            'Expected an entry {"id": ..., "name": ...} for each, also for one without a box: add them.'
        )


def check_order(content: dict, path: str, classes: Sequence[str]) -> None:
    """Refuse categories in another order than the config's classes: a CocoDataset numbers them as the file has them.

    Raises:
        InputError: If they are.
    """
    order = [c['name'] for c in content['categories'] if c['name'] in classes]
    if order != list(classes):
        raise InputError(
            f'{path}: its "categories" are {", ".join(order)}, the classes {", ".join(classes)}. '
            'mmdet numbers them as the file has them, so that one would be taken for another: expected '
            'each once, in one order. Change metainfo.classes, or the order in the file.'
        )


def check_xml_names(path: str, classes: Sequence[str]) -> None:
    """Raise InputError if a VOC file has objects of a name that ``classes`` lacks."""
    names = {node.text for node in ElementTree.parse(path).getroot().iterfind('object/name')}
    _refuse_unknown(names - set(classes), path, classes)


def _refuse_unknown(names: set[str], path: str, classes: Sequence[str]) -> None:
    if names:
        unknown = ', '.join(repr(n) for n in sorted(names))
        raise InputError(
            f'{path} has boxes of {unknown}, which the config lacks. Its classes are '
            f'{", ".join(classes)}. Add the missing ones to metainfo.classes of every dataset and raise '
            'num_classes, or take those boxes out of the file.'
        )
