"""Label Studio: tasks and a label config for it, and its raw JSON export.

The raw export is the only one of its formats that keeps ids, annotators, labeling times, and the
difference between an image without objects and one that nobody labeled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import quote
from xml.etree import ElementTree

from ..batch import Batch, BatchImage
from ..parsed import (
    JsonObject,
    ParsedFile,
    ParsedImage,
    finite_float,
    is_object_list,
    short_repr,
)
from .label_studio_regions import SIDES, Regions, describe_kinds, parse_regions

CONTROL = 'label'
"""Name of the tag in the label config that takes labels."""
OBJECT = 'image'
"""Name of the tag in the label config that shows the image."""
MAX_SHOWN = 3
"""Tasks that a note names."""
MIN_CONFIDENCE_SHOWN = 0.5
"""Confidence of the classes that are shown as predicted where an image may have several."""


class TaskData(TypedDict, total=False):
    """What a task of ours says about its image.

    Attributes:
        image: Where Label Studio serves the image from.
        image_id: Id of the image in the pool.
        file_name: Path of the file below the root of the batch.
        rank: Place in the ranking, from 0.
        batch: Name of the batch.
        score: Score of the sampler; absent if it gave none.
    """

    image: str
    image_id: Hashable
    file_name: str
    rank: int
    batch: str
    score: float


class TaskPrediction(TypedDict):
    """The model's predictions on one image.

    Attributes:
        model_version: Name of the batch, so that a project shows the predictions of one batch.
        score: Confidence of the surest prediction, 0 if there is none.
        result: Label Studio's regions.
    """

    model_version: str
    score: float
    result: list[JsonObject]


class Task(TypedDict):
    """A task: one image to label.

    Attributes:
        data: What the task is about.
        predictions: One entry, or none if the model predicts nothing.
    """

    data: TaskData
    predictions: list[TaskPrediction]


def config(batch: Batch) -> str:
    """Make the label config (XML) of a project with the classes of a batch.

    Args:
        batch: The batch that the project is for.
    """
    view = ElementTree.Element('View')
    ElementTree.SubElement(view, 'Image', name=OBJECT, value='$image', zoom='true')
    if batch.has_boxes:
        control = ElementTree.SubElement(view, 'RectangleLabels', name=CONTROL, toName=OBJECT)
        for name in batch.classes:
            ElementTree.SubElement(control, 'Label', value=name)
    else:
        choice = 'multiple' if batch.several_labels else 'single'
        control = ElementTree.SubElement(
            view, 'Choices', name=CONTROL, toName=OBJECT, choice=choice
        )
        for name in batch.classes:
            ElementTree.SubElement(control, 'Choice', value=name)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding='unicode')


def tasks(batch: Batch) -> list[Task]:
    """Make one task per image, best first, with the rank and the model's predictions.

    Args:
        batch: The batch to export.
    """
    return [_task(batch, image) for image in batch.images]


def _task(batch: Batch, image: BatchImage) -> Task:
    data: TaskData = {
        'image': _image_url(batch, image.file_name),
        'image_id': image.id,
        'file_name': image.file_name,
        'rank': image.rank,
        'batch': batch.name,
    }
    if image.score is not None:
        data['score'] = image.score
    regions = _rectangles(batch, image) if batch.has_boxes else _choices(batch, image)
    if not regions:
        return {'data': data, 'predictions': []}
    score = max((p['score'] for p in image.predictions), default=0.0)
    prediction: TaskPrediction = {
        'model_version': batch.name,
        'score': score,
        'result': regions,
    }
    return {'data': data, 'predictions': [prediction]}


def _image_url(batch: Batch, file_name: str) -> str:
    """Where Label Studio serves an image from.

    This holds if the folder above the root of the batch is Label Studio's document root.
    """
    return '/data/local-files/?d=' + quote(f'{Path(batch.root).name}/{file_name}')


def _choices(batch: Batch, image: BatchImage) -> list[JsonObject]:
    """The model's classes of an image as one region; none if it predicts none."""
    if batch.several_labels:
        shown = [p for p in image.predictions if p['score'] >= MIN_CONFIDENCE_SHOWN]
    else:
        shown = image.predictions[:1]
    if not shown:
        return []
    region = {
        'from_name': CONTROL,
        'to_name': OBJECT,
        'score': image.predictions[0]['score'],
        'type': 'choices',
        'value': {'choices': [batch.classes[p['label']] for p in shown]},
    }
    return [region]


def _rectangles(batch: Batch, image: BatchImage) -> list[JsonObject]:
    """The model's boxes of an image as regions, in per cent of the image's sides."""
    regions = []
    for prediction in image.predictions:
        width, height = image.size
        value: JsonObject = {}
        sides = (width, height, width, height)
        for key, pixels, side in zip(SIDES, prediction['bbox'], sides, strict=True):
            value[key] = 100 * pixels / side
        value['rotation'] = 0
        value['rectanglelabels'] = [batch.classes[prediction['label']]]
        region = {
            'from_name': CONTROL,
            'to_name': OBJECT,
            'score': prediction['score'],
            'type': 'rectanglelabels',
            'original_width': width,
            'original_height': height,
            'image_rotation': 0,
            'value': value,
        }
        regions.append(region)
    return regions


def batch_name(task: Any) -> str | None:
    """Name of the batch that a task was made for.

    Args:
        task: A task of an export; whatever the file holds.

    Returns:
        None if the task does not name a batch.
    """
    if not isinstance(task, dict) or not isinstance(task.get('data'), dict):
        return None
    name = task['data'].get('batch')
    return name if isinstance(name, str) else None


def parse(tasks: list[Any], has_boxes: bool) -> ParsedFile:
    """Parse the tasks of a raw JSON export.

    Of several annotations of an image, the one marked as ground truth counts, else the newest. A
    task without annotations is not labeled, whatever its drafts and predictions are; one whose
    annotations were all cancelled is skipped. What stands beside the labels that are asked for is
    passed over and counted. An image whose objects are drawn, but none as a rectangle, is a fault:
    it would count as showing nothing.

    Args:
        tasks: Tasks of the export; whatever the file holds.
        has_boxes: Whether boxes are asked for, rather than classes of whole images.
    """
    images = []
    problems = []
    passed_over: Counter[str] = Counter()
    empty = []
    for n, task in enumerate(tasks):
        number = task.get('id', n) if isinstance(task, dict) else n
        where = f'task {number}'
        if not isinstance(task, dict) or not isinstance(task.get('data'), dict):
            problems.append(
                f'{where}: expected an object with "data". Export as JSON (raw), not JSON-MIN.'
            )
            continue
        image, regions, faults = _parse_task(task, where, has_boxes)
        problems += faults
        passed_over += regions.passed_over
        if image is not None:
            images.append(image)
        if has_boxes and regions.passed_over and not (faults or regions.boxes):
            empty.append(where)
    return ParsedFile(images, problems, notes=_notes(passed_over, empty, has_boxes))


def _notes(passed_over: Counter[str], empty: list[str], has_boxes: bool) -> list[str]:
    """What the user should know of regions that were passed over.

    Args:
        passed_over: Number of them by type.
        empty: Places of the images that have nothing else.
        has_boxes: Whether boxes are asked for, rather than classes of whole images.
    """
    notes = []
    if passed_over:
        what = 'rectangles' if has_boxes else 'classes of the whole image'
        notes.append(
            f'{passed_over.total()} regions that are no {what} were passed over: '
            f'{describe_kinds(passed_over)}'
        )
    if empty:
        more = ', ...' if len(empty) > MAX_SHOWN else ''
        notes.append(
            f'{len(empty)} images that were submitted with nothing else show no object '
            f'({", ".join(empty[:MAX_SHOWN])}{more})'
        )
    return notes


def _parse_task(
    task: JsonObject, where: str, has_boxes: bool
) -> tuple[ParsedImage | None, Regions, list[str]]:
    """What a task says about its image, its regions, and its faults; None if it cannot be read."""
    annotations = task.get('annotations') or []
    if not is_object_list(annotations):
        return None, Regions(), [_not_a_list(where, 'annotations', annotations)]
    image = _parse_data(task['data'], where)
    submitted = [annotation for annotation in annotations if not annotation.get('was_cancelled')]
    if not submitted:
        image = replace(image, state='skipped' if annotations else 'unlabeled')
        return image, Regions(), []
    annotation = max(submitted, key=_precedence)
    results = annotation.get('result') or []
    if not is_object_list(results):
        return None, Regions(), [_not_a_list(where, 'result', results)]
    regions = parse_regions(results, where, has_boxes)
    image = replace(
        image,
        who=_annotator(annotation),
        seconds=_labeling_time(annotation),
        boxes=regions.boxes,
        labels=regions.labels,
        size=regions.size,
    )
    faults = list(regions.faults)
    if has_boxes and regions.shapes and not (faults or regions.boxes):
        faults.append(
            f'{where}: has {describe_kinds(regions.shapes)} and no rectangle, so the image would '
            'count as showing no object. Draw rectangles there, or skip the task.'
        )
    return image, regions, faults


def _parse_data(data: JsonObject, where: str) -> ParsedImage:
    """The image that a task is about."""
    # Label Studio calls the image $undefined$ in tasks that came before the label config.
    address = data.get('image', data.get('$undefined$'))
    return ParsedImage(
        image_id=data.get('image_id'),
        file_name=data.get('file_name'),
        where=where,
        address=address if isinstance(address, str) else None,
    )


def _precedence(annotation: JsonObject) -> tuple[bool, str, float]:
    """The annotation with the largest value counts."""
    return (
        bool(annotation.get('ground_truth')),
        str(annotation.get('updated_at', '')),
        finite_float(annotation.get('id')) or 0,
    )


def _annotator(annotation: JsonObject) -> str | None:
    completed_by = annotation.get('completed_by')
    if isinstance(completed_by, dict):
        completed_by = completed_by.get('email') or completed_by.get('id')
    return None if completed_by is None else str(completed_by)


def _labeling_time(annotation: JsonObject) -> float | None:
    """Seconds that labeling took, believable or not; None if they are no number."""
    seconds = annotation.get('lead_time')
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return None
    return seconds


def _not_a_list(place: str, name: str, value: Any) -> str:
    return (
        f'{place}: expected a list of objects as "{name}", found {short_repr(value)}. '
        'Export again as JSON (raw).'
    )
