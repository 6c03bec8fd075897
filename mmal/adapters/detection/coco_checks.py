"""Read annotation files and refuse what mmdet would pass over in silence."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias
from xml.etree import ElementTree

from mmdet.datasets import CocoDataset
from mmengine import fileio

from mmal.errors import InputError

CocoContents: TypeAlias = dict[str, Any]
"""Contents of a COCO annotation file."""

Entries: TypeAlias = list[dict[str, Any]]
"""Images, annotations or categories of such a file."""


def read_coco(path: str, backend_args: dict[str, Any] | None = None) -> CocoContents:
    """Read a COCO annotation file.

    Args:
        path: Path of the file.
        backend_args: Arguments of mmengine's file backend. Defaults to None: by the path.

    Returns:
        Contents of the file. ``annotations`` is added where it is absent: a pool of images that
        nobody has labeled yet.

    Raises:
        InputError: If the file is missing, is no JSON, or lacks a part.
    """
    try:
        text = fileio.get_text(path, backend_args=backend_args)
        data = json.loads(text)
    except FileNotFoundError:
        raise InputError(
            f'Annotation file not found: {path}. Check data_root and ann_file of the config.'
        ) from None
    except json.JSONDecodeError as e:
        raise InputError(f'{path} is not valid JSON: {e}.') from None
    if isinstance(data, dict):
        data.setdefault('annotations', [])
    missing = {'images', 'annotations', 'categories'} - set(data)
    if missing:
        raise InputError(
            f'{path} is not a COCO annotation file: it lacks {", ".join(sorted(missing))}.'
        )
    content: CocoContents = data
    return content


def check_fits_classes(content: CocoContents, dataset: Any) -> None:
    """Check that the annotations of a dataset fit its classes.

    Args:
        content: Annotations in COCO form.
        dataset: The built dataset they belong to.

    Raises:
        InputError: If they do not, see :func:`check_coco` and :func:`check_order`.
    """
    classes = tuple(dataset.metainfo['classes'])
    check_coco(content, dataset.ann_file, classes)
    # subclasses have their own way to number categories
    if type(dataset) is CocoDataset:
        check_order(content, dataset.ann_file, classes)


def check_coco(content: CocoContents, path: str, classes: Sequence[str]) -> None:
    """Check ids and categories.

    Args:
        content: Contents of the annotation file.
        path: Path of the file; for error messages.
        classes: Class names of the config.

    Raises:
        InputError: If an id stands twice, an entry is incomplete, an annotation's image is not
            listed, a category in use is not among ``classes``, or one of ``classes`` has no
            category.
    """
    images = content['images']
    annotations = content['annotations']
    _refuse_duplicate_ids('image', images, path)
    _refuse_duplicate_ids('annotation', annotations, path)
    for image in images:
        if not {'file_name', 'width', 'height'} <= set(image):
            raise InputError(f'{path}: image {image["id"]!r} lacks file_name, width or height.')
    unlisted = _values(annotations, 'image_id') - _values(images, 'id')
    if unlisted:
        raise InputError(
            f'{path}: {len(unlisted)} annotated image ids are not in its image list, '
            f'e.g. {next(iter(unlisted))!r}.'
        )
    _check_categories(content, path, classes)


def _values(entries: Entries, key: str) -> set[Any]:
    return {entry[key] for entry in entries}


def _refuse_duplicate_ids(kind: str, entries: Entries, path: str) -> None:
    counts = Counter(entry['id'] for entry in entries)
    duplicates = []
    for entry_id, n in counts.items():
        if n > 1:
            duplicates.append(entry_id)
    if duplicates:
        raise InputError(
            f'{path}: {kind} id {duplicates[0]!r} stands more than once ({len(duplicates)} such '
            'ids). Ids must be unique: renumber them.'
        )


def _check_categories(content: CocoContents, path: str, classes: Sequence[str]) -> None:
    names = {category['id']: category['name'] for category in content['categories']}
    unknown = set()
    for category_id in _values(content['annotations'], 'category_id'):
        if names.get(category_id) not in classes:
            name = names.get(category_id, f'category id {category_id}')
            unknown.add(str(name))
    _refuse_unknown(unknown, path, classes)
    # mmdet numbers the categories it finds, and so would take one class for another
    listed = set(names.values())
    lacking = [repr(name) for name in classes if name not in listed]
    if lacking:
        raise InputError(
            f'{path}: its "categories" lack {", ".join(lacking)} of the config\'s '
            'classes. Expected an entry {"id": ..., "name": ...} for each, also for one without a '
            'box: add them.'
        )


def check_order(content: CocoContents, path: str, classes: Sequence[str]) -> None:
    """Refuse categories in another order than the config's classes.

    A CocoDataset numbers them as the file has them.

    Args:
        content: Contents of the annotation file.
        path: Path of the file; for error messages.
        classes: Class names of the config.

    Raises:
        InputError: If the order differs, or a category stands twice.
    """
    names = [category['name'] for category in content['categories']]
    order = [name for name in names if name in classes]
    if order != list(classes):
        raise InputError(
            f'{path}: its "categories" are {", ".join(order)}, the classes {", ".join(classes)}. '
            'mmdet numbers them as the file has them, so that one would be taken for another: '
            'expected each once, in one order. Change metainfo.classes, or the order in the file.'
        )


def check_xml_names(path: str, classes: Sequence[str]) -> None:
    """Check the object names in a VOC annotation file.

    Args:
        path: Path of the XML file.
        classes: Class names of the config.

    Raises:
        InputError: If a name is not among ``classes``.
    """
    nodes = ElementTree.parse(path).getroot().iterfind('object/name')
    names = {str(node.text) for node in nodes}
    _refuse_unknown(names - set(classes), path, classes)


def _refuse_unknown(names: set[str], path: str, classes: Sequence[str]) -> None:
    if names:
        unknown = ', '.join(map(repr, sorted(names)))
        raise InputError(
            f'{path} has boxes of {unknown}, which the config lacks. Its classes are '
            f'{", ".join(classes)}. Add the missing ones to metainfo.classes of every dataset and '
            'raise num_classes, or take those boxes out of the file.'
        )
