"""Ground truth of mmdet datasets that are not COCO files (VOC and others), in COCO form."""

from __future__ import annotations

import os.path as osp
from typing import Any

from mmdet.datasets import XMLDataset

from mmal.adapters.base import PoolImage
from mmal.annotation.records import CocoAnnotation
from mmal.errors import MissingFileError

from .coco_checks import CocoContents
from .voc_files import check_voc_files


def convert_to_coco(dataset: Any, classes: tuple[str, ...], min_side: float) -> CocoContents:
    """Convert the ground truth of a built dataset.

    Args:
        dataset: The dataset, built with ``lazy_init``; it is initialised here. File names are made
            relative to its ``data_root``.
        classes: Class names of the config.
        min_side: Shortest side of a box that counts, in pixels. Smaller boxes become crowds, as
            mmdet trains with these ignored.

    Returns:
        ``images``, ``annotations`` and ``categories``; category ids are 1 + the class index.

    Raises:
        InputError: If an annotation file is missing, or mmdet cannot read a VOC file.
    """
    if isinstance(dataset, XMLDataset):
        check_voc_files(dataset, classes)
    try:
        dataset.full_init()
    except FileNotFoundError as e:
        raise MissingFileError(f'Annotation file not found: {e.filename or e}.') from None
    images, annotations = images_and_boxes(dataset, min_side)
    categories = []
    for category_id, name in enumerate(classes, start=1):
        categories.append(dict(id=category_id, name=name))
    return dict(images=images, annotations=annotations, categories=categories)


def images_and_boxes(
    dataset: Any, min_side: float = 0
) -> tuple[list[PoolImage], list[CocoAnnotation]]:
    """Images and boxes of a built dataset, in COCO form.

    Args:
        dataset: The dataset. File names are made relative to its ``data_root``.
        min_side: Shortest side of a box that counts, in pixels. Smaller boxes become crowds.
            Defaults to 0.

    Returns:
        Images, and annotations whose category ids are 1 + the class index.
    """
    images: list[PoolImage] = []
    annotations: list[CocoAnnotation] = []
    for row in range(len(dataset)):
        info = dataset.get_data_info(row)
        image = _image_of(info, dataset.data_root or '')
        images.append(image)
        for instance in info['instances']:
            annotation_id = len(annotations) + 1
            annotation = _annotation_of(instance, annotation_id, image['id'], min_side)
            annotations.append(annotation)
    return images, annotations


def _image_of(info: dict[str, Any], root: str) -> PoolImage:
    file_name = info['img_path']
    if root:
        file_name = osp.relpath(file_name, root)
    return PoolImage(
        id=info['img_id'],
        file_name=file_name,
        width=info['width'],
        height=info['height'],
    )


def _annotation_of(
    instance: dict[str, Any], annotation_id: int, image_id: Any, min_side: float
) -> CocoAnnotation:
    x1, y1, x2, y2 = map(float, instance['bbox'])
    width = x2 - x1
    height = y2 - y1
    return CocoAnnotation(
        id=annotation_id,
        image_id=image_id,
        category_id=instance['bbox_label'] + 1,
        bbox=[x1, y1, width, height],
        area=width * height,
        iscrowd=int(instance['ignore_flag'] or min(width, height) < min_side),
    )
