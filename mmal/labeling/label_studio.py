"""Label Studio: tasks and label config out, its raw JSON export in.

The raw export is the only one of its formats that keeps ids, who labeled, how long it took, and the difference between
an image without objects and one that nobody labeled.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.etree import ElementTree

from .answer import Answer, Box

if TYPE_CHECKING:
    from .batch import Batch, BatchImage

CONTROL, OBJECT = 'label', 'image'
"""Names in the label config."""


def config(batch: Batch) -> str:
    """The label config (XML) of a project with the classes of the batch."""
    view = ElementTree.Element('View')
    ElementTree.SubElement(view, 'Image', name=OBJECT, value='$image', zoom='true')
    if batch.boxes:
        control = ElementTree.SubElement(view, 'RectangleLabels', name=CONTROL, toName=OBJECT)
        for name in batch.classes:
            ElementTree.SubElement(control, 'Label', value=name)
    else:
        control = ElementTree.SubElement(view, 'Choices', name=CONTROL, toName=OBJECT, choice='single')
        for name in batch.classes:
            ElementTree.SubElement(control, 'Choice', value=name)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding='unicode')


def url(batch: Batch, file_name: str) -> str:
    """Where Label Studio serves the image from, if the folder above ``batch.root`` is its document root."""
    return '/data/local-files/?d=' + quote(f'{Path(batch.root).name}/{file_name}')


def tasks(batch: Batch) -> list[dict]:
    """One task an image, best first, with the model's predictions and the rank."""
    return [_task(batch, image) for image in batch.images]


def _task(batch: Batch, image: BatchImage) -> dict:
    data = dict(image=url(batch, image.file_name), image_id=image.id, file_name=image.file_name, rank=image.rank,
                batch=batch.name)
    if image.score is not None:
        data['score'] = image.score
    result = [_region(batch, image, p) for p in (image.predictions if batch.boxes else image.predictions[:1])]
    score = max((p['score'] for p in image.predictions), default=0.0)
    made = dict(model_version=batch.name, score=score, result=result)
    return dict(data=data, predictions=[made] if result else [])


def _region(batch: Batch, image: BatchImage, prediction: dict) -> dict:
    region = dict(from_name=CONTROL, to_name=OBJECT, score=prediction['score'])
    name = batch.classes[prediction['label']]
    if not batch.boxes:
        return dict(region, type='choices', value=dict(choices=[name]))
    x, y, w, h = prediction['bbox']
    return dict(region, type='rectanglelabels', original_width=image.width, original_height=image.height,
                image_rotation=0, value=dict(x=100 * x / image.width, y=100 * y / image.height,
                                             width=100 * w / image.width, height=100 * h / image.height, rotation=0,
                                             rectanglelabels=[name]))


def parse(content: list) -> tuple[list[Answer], list[str]]:
    """Answers of a raw JSON export.

    Of several annotations of an image, that marked as ground truth counts, else the newest. A task without annotation
    is not labeled; one whose annotation was cancelled is skipped.
    """
    answers, problems = [], []
    for n, task in enumerate(content):
        where = f'task {task.get("id", n) if isinstance(task, dict) else n}'
        if not isinstance(task, dict) or not isinstance(task.get('data'), dict):
            problems.append(f'{where}: expected an object with "data". Export as JSON (raw), not JSON-MIN.')
            continue
        answer, wrong = _answer(task, where)
        problems += wrong
        answers += [answer] if answer else []
    return answers, problems


def _answer(task: dict, where: str) -> tuple[Answer | None, list[str]]:
    data, made = task['data'], [a for a in task.get('annotations') or [] if isinstance(a, dict)]
    given = [a for a in made if not a.get('was_cancelled')]
    about = dict(image_id=data.get('image_id'), file_name=data.get('file_name'), where=where)
    if not given:
        return Answer(**about, state='skipped' if made else 'unlabeled'), []
    chosen = max(given, key=lambda a: (bool(a.get('ground_truth')), str(a.get('updated_at', '')), a.get('id') or 0))
    about.update(who=_who(chosen), seconds=_seconds(chosen))
    results = [r for r in chosen.get('result') or [] if isinstance(r, dict) and r.get('type') not in ('relation', )]
    boxes, labels, problems, size = [], [], [], None
    for n, region in enumerate(results):
        place, value = f'{where}, region {n}', region.get('value') if isinstance(region.get('value'), dict) else {}
        if region.get('type') == 'rectanglelabels':
            size = (region.get('original_width'), region.get('original_height'))
            box, wrong = _box(region, value, size, place)
            boxes += [box] if box else []
            problems += wrong
        elif region.get('type') == 'choices':
            labels += list(value.get('choices') or [])
        else:
            problems.append(f'{place}: is of type {region.get("type")!r}, expected a rectangle or a choice. Take it '
                            'out of the label config, and out of this annotation.')
    label = labels[0] if len(labels) == 1 else labels
    return Answer(**about, boxes=boxes, label=label, size=size), problems


def _box(region: dict, value: dict, size: tuple, place: str) -> tuple[Box | None, list[str]]:
    names = value.get('rectanglelabels') or []
    if len(names) != 1:
        return None, [f'{place}: expected one label, found {len(names)}. Give the rectangle one.']
    if value.get('rotation') or region.get('image_rotation'):
        return None, [f'{place}: is rotated, and detectors of upright boxes cannot learn that. Draw it upright.']
    try:
        width, height = (float(s) for s in size)
        bbox = [float(value[k]) * s / 100
                for k, s in zip(('x', 'y', 'width', 'height'), (width, height) * 2, strict=True)]
    except (KeyError, TypeError, ValueError):
        return None, [f'{place}: lacks numbers for x, y, width, height, original_width or original_height.']
    return Box(names[0], bbox, place), []


def _who(annotation: dict) -> str | None:
    by = annotation.get('completed_by')
    by = by.get('email') or by.get('id') if isinstance(by, dict) else by
    return None if by is None else str(by)


def _seconds(annotation: dict) -> float | None:
    took = annotation.get('lead_time')
    return float(took) if isinstance(took, (int, float)) and not isinstance(took, bool) else None
