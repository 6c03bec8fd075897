"""Labels that a file gives, in the terms of a pool: its ids, its categories, its classes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from .box_faults import BoxExamination, examine_boxes
from .image_validation import bbox_fault, box_numbers
from .parsed import ParsedBox, ParsedFile, ParsedImage, finite_float, short_repr
from .records import CocoAnnotation, ImageLabel, without_nonfinite


def is_labeled(image: ParsedImage, has_boxes: bool) -> bool:
    """Whether a file of labels says anything of an image.

    An image of a COCO file without boxes is labeled: it shows no object.

    Args:
        image: What the file says about it.
        has_boxes: Whether labels are boxes.
    """
    if image.state in ('unlabeled', 'skipped'):
        return False
    return has_boxes or bool(image.labels)


def class_names(images: Iterable[ParsedImage]) -> list[Any]:
    """The class names that a file uses, in the order they are met.

    Args:
        images: What the file says about images.
    """
    names: dict[Any, None] = {}
    for image in images:
        names.update(dict.fromkeys(box.category for box in image.boxes))
        names.update(dict.fromkeys(image.labels))
    return list(names)


def coco_annotations(
    image: ParsedImage, image_id: Hashable, category_ids: Mapping[str, int]
) -> tuple[list[CocoAnnotation], list[str]]:
    """Annotations of an image, with the pool's ids.

    What an annotation of a COCO file has beside its box stays, a mask for instance.

    Args:
        image: What the file says about it.
        image_id: Its id in the pool.
        category_ids: Id of the pool's category by class name.

    Returns:
        The annotations without ids, and the faults of boxes that are no four numbers.
    """
    annotations = []
    faults = []
    for box in image.boxes:
        if box_numbers(box.bbox) is None:
            faults.append(f'{box.where}: {bbox_fault(box.bbox)}')
        else:
            annotations.append(_coco_annotation(box, image_id, category_ids[box.category]))
    return annotations, faults


def without_unusable(
    images: Sequence[Mapping[str, Any]], annotations: Sequence[CocoAnnotation]
) -> tuple[list[CocoAnnotation], BoxExamination]:
    """Leave out the annotations that training drops.

    Args:
        images: Images with ``id``, ``file_name``, ``width`` and ``height``.
        annotations: Their annotations, with or without ids.

    Returns:
        The others, and what was found of all.
    """
    numbered = []
    for number, annotation in enumerate(annotations):
        numbers = box_numbers(annotation['bbox'])
        numbered.append({**annotation, 'id': number, 'bbox': numbers})
    examination = examine_boxes(images, numbered)
    kept = []
    for number, annotation in enumerate(annotations):
        if number not in examination.unusable:
            kept.append(annotation)
    return kept, examination


def examine_parsed(images: Sequence[tuple[Mapping[str, Any], ParsedImage]]) -> BoxExamination:
    """Look for boxes that are none in what a file says.

    Boxes that are no four numbers are passed over, as each is a fault by itself.

    Args:
        images: Each image with ``id``, ``file_name``, ``width`` and ``height``, the last two None
            where they are not known, and what the file says about it.
    """
    annotations: list[dict[str, Any]] = []
    for image, parsed in images:
        for box in parsed.boxes:
            bbox = box_numbers(box.bbox)
            if bbox is not None:
                annotation = dict(
                    id=len(annotations), image_id=image['id'], bbox=bbox, iscrowd=box.crowd
                )
                annotations.append(annotation)
    return examine_boxes([image for image, _ in images], annotations)


def _coco_annotation(box: ParsedBox, image_id: Hashable, category_id: int) -> CocoAnnotation:
    entry: Any = without_nonfinite(box.entry or {})
    # Those of another file may be taken here.
    entry.pop('id', None)
    entry.update(image_id=image_id, category_id=category_id, bbox=list(box.bbox))
    area = finite_float(entry.get('area'))
    if area is None or area <= 0:
        # mmdet leaves boxes out whose area is not above 0, however large they are.
        entry['area'] = box.bbox[2] * box.bbox[3]
    entry.setdefault('iscrowd', box.crowd)
    annotation: CocoAnnotation = entry
    return annotation


def image_label(
    image: ParsedImage, image_id: Hashable, classes: Sequence[str], several: bool
) -> tuple[ImageLabel | None, str | None]:
    """The label of a whole image.

    Args:
        image: What the file says about it.
        image_id: Its id in the pool.
        classes: Class names by class index.
        several: Whether an image may have several classes.

    Returns:
        The label and None, or None and the fault.
    """
    indices = [classes.index(name) for name in image.labels]
    if several:
        return ImageLabel(id=image_id, label=indices), None
    if len(indices) > 1:
        return None, (
            f'{image.where}: {short_repr(image.labels)} are {len(indices)} classes, and the model '
            'takes one an image. Keep one.'
        )
    return ImageLabel(id=image_id, label=indices[0]), None


def labeled_images(file: ParsedFile, has_boxes: bool) -> list[ParsedImage]:
    """The images that a file labels.

    Args:
        file: What the file says.
        has_boxes: Whether labels are boxes.
    """
    return [image for image in file.images if is_labeled(image, has_boxes)]
