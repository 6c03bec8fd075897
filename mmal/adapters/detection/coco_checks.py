"""Refuse classes that mmdet would take for others, or pass over in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

from mmdet.datasets import CocoDataset

from mmal.errors import InputError

CocoContents: TypeAlias = dict[str, Any]
"""Contents of a COCO annotation file."""


def check_fits_classes(content: CocoContents, path: str, dataset: Any) -> None:
    """Check that the annotations of a dataset fit its classes.

    Args:
        content: Annotations in COCO form.
        path: Path of the file that they are from; for error messages.
        dataset: The built dataset they belong to.

    Raises:
        InputError: If they do not, see :func:`check_categories` and :func:`check_order`.
    """
    classes = tuple(dataset.metainfo['classes'])
    check_categories(content, path, classes)
    # subclasses have their own way to number categories
    if type(dataset) is CocoDataset:
        check_order(content, path, classes)


def check_categories(content: CocoContents, path: str, classes: Sequence[str]) -> None:
    """Check the categories of a file against the classes.

    Args:
        content: Contents of the annotation file.
        path: Path of the file; for error messages.
        classes: Class names of the config.

    Raises:
        InputError: If a category in use is not among ``classes``, or one of ``classes`` has no
            category.
    """
    names = {category['id']: category['name'] for category in content['categories']}
    used = {names[annotation['category_id']] for annotation in content['annotations']}
    _refuse_unknown(used - set(classes), path, classes)
    # mmdet numbers the categories it finds, and so would take one class for another
    listed = set(names.values())
    lacking = [repr(name) for name in classes if name not in listed]
    roots = {category.get('supercategory') for category in content['categories']}
    if len(roots) == 1 and lacking == [repr(root) for root in roots]:
        raise InputError(
            f'{path}: {lacking[0]} is the supercategory of all its "categories", as Roboflow '
            'writes the name of a project, and has no box: it is no class. Take it out of '
            f'metainfo.classes of every dataset, and set num_classes={len(classes) - 1}.'
        )
    if lacking:
        raise InputError(
            f'{path}: its "categories" lack {", ".join(lacking)} of the config\'s '
            'classes. Expected an entry {"id": ..., "name": ...} for each, also for one without a '
            'box: add them.'
        )


def check_image_ids(image_ids: Sequence[Any], path: str) -> None:
    """Refuse ids of which two read alike, as 5 and "5": files of a run name images by text.

    Args:
        image_ids: Ids of all images of a file.
        path: Path of the file; for error messages.

    Raises:
        InputError: If there are such ids.
    """
    texts = Counter(map(str, image_ids))
    repeated = [text for text, n in texts.items() if n > 1]
    if repeated:
        raise InputError(
            f'{path}: the image id {repeated[0]!r} stands {texts[repeated[0]]} times. Ids must be '
            'unique, as text, too: number the images anew.'
        )


def check_ids_of_one_kind(image_ids: Sequence[Any], path: str) -> None:
    """Refuse numbers and text as ids of one set, which pycocotools cannot sort.

    Args:
        image_ids: Ids of all images of a reference or evaluation set.
        path: Path of the file; for error messages.

    Raises:
        InputError: If there are both.
    """
    texts = [value for value in image_ids if isinstance(value, str)]
    if texts and len(texts) < len(image_ids):
        number = next(value for value in image_ids if not isinstance(value, str))
        raise InputError(
            f'{path}: image ids are numbers and text, as {number!r} and {texts[0]!r}. Expected '
            'either: number the images anew.'
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


def _refuse_unknown(names: set[str], path: str, classes: Sequence[str]) -> None:
    if names:
        unknown = ', '.join(map(repr, sorted(names)))
        raise InputError(
            f'{path} has boxes of {unknown}, which the config lacks. Its classes are '
            f'{", ".join(classes)}. Add the missing ones to metainfo.classes of every dataset and '
            'raise num_classes, or take those boxes out of the file.'
        )
