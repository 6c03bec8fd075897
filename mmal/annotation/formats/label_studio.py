"""Label Studio: tasks and label config out, its raw JSON export in.

The raw export is the only one of its formats that keeps ids, who labeled, how long it took, and the difference between
an image without objects and one that nobody labeled.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree import ElementTree

from mmal.annotation.parsed import (
    ROTATED,
    ParsedBox,
    ParsedImage,
    finite_float,
    is_object_list,
    short_repr,
)

if TYPE_CHECKING:
    from mmal.annotation.batch import Batch, BatchImage
CONTROL, OBJECT = 'label', 'image'
"""Names in the label config."""
SIDES = ('x', 'y', 'width', 'height')
LIKELY = 0.5
"""Confidence of the classes that are shown as a guess where an image may have several."""


def config(batch: Batch) -> str:
    """The label config (XML) of a project with the classes of the batch."""
    view = ElementTree.Element('View')
    ElementTree.SubElement(view, 'Image', name=OBJECT, value='$image', zoom='true')
    if batch.boxes:
        control = ElementTree.SubElement(view, 'RectangleLabels', name=CONTROL, toName=OBJECT)
        for name in batch.classes:
            ElementTree.SubElement(control, 'Label', value=name)
    else:
        control = ElementTree.SubElement(
            view,
            'Choices',
            name=CONTROL,
            toName=OBJECT,
            choice='multiple' if batch.several else 'single',
        )
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
    data = dict(
        image=url(batch, image.file_name),
        image_id=image.id,
        file_name=image.file_name,
        rank=image.rank,
        batch=batch.name,
    )
    if image.score is not None:
        data['score'] = image.score
    result = _boxes(batch, image) if batch.boxes else _choices(batch, image)
    score = max((p['score'] for p in image.predictions), default=0.0)
    made = dict(model_version=batch.name, score=score, result=result)
    return dict(data=data, predictions=[made] if result else [])


def _choices(batch: Batch, image: BatchImage) -> list[dict]:
    """The model's classes of an image, if it has any, as one answer."""
    best, likely = image.predictions[:1], [p for p in image.predictions if p['score'] >= LIKELY]
    names = [batch.classes[p['label']] for p in (likely if batch.several else best)]
    return (
        [
            dict(
                from_name=CONTROL,
                to_name=OBJECT,
                score=image.predictions[0]['score'],
                type='choices',
                value=dict(choices=names),
            )
        ]
        if names
        else []
    )


def _boxes(batch: Batch, image: BatchImage) -> list[dict]:
    sides = (image.width, image.height) * 2
    return [
        dict(
            from_name=CONTROL,
            to_name=OBJECT,
            score=p['score'],
            type='rectanglelabels',
            original_width=image.width,
            original_height=image.height,
            image_rotation=0,
            value={
                **{k: 100 * v / side for k, v, side in zip(SIDES, p['bbox'], sides, strict=True)},
                'rotation': 0,
                'rectanglelabels': [batch.classes[p['label']]],
            },
        )
        for p in image.predictions
    ]


def batch_of(task: Any) -> str | None:
    """Name of the batch that a task was made for, if it says one."""
    data = task.get('data') if isinstance(task, dict) else None
    name = data.get('batch') if isinstance(data, dict) else None
    return name if isinstance(name, str) else None


def parse(content: list) -> tuple[list[ParsedImage], list[str]]:
    """Answers of a raw JSON export.

    Of several annotations of an image, that marked as ground truth counts, else the newest. A task without annotation
    is not labeled; one whose annotation was cancelled is skipped.
    """
    answers, problems = [], []
    for n, task in enumerate(content):
        where = f'task {task.get("id", n) if isinstance(task, dict) else n}'
        if not isinstance(task, dict) or not isinstance(task.get('data'), dict):
            problems.append(
                f'{where}: expected an object with "data". Export as JSON (raw), not JSON-MIN.'
            )
            continue
        answer, wrong = _answer(task, where)
        problems += wrong
        answers += [answer] if answer else []
    return answers, problems


def _answer(task: dict, where: str) -> tuple[ParsedImage | None, list[str]]:
    data, made = task['data'], task.get('annotations') or []
    if not is_object_list(made):
        return None, [_no_list(where, 'annotations', made)]
    given = [a for a in made if not a.get('was_cancelled')]
    address = data.get(
        'image', data.get('$undefined$')
    )  # so named before the project had a label config
    about = dict(
        image_id=data.get('image_id'),
        file_name=data.get('file_name'),
        where=where,
        address=address if isinstance(address, str) else None,
    )
    if not given:
        return ParsedImage(**about, state='skipped' if made else 'unlabeled'), []
    chosen = max(
        given,
        key=lambda a: (
            bool(a.get('ground_truth')),
            str(a.get('updated_at', '')),
            finite_float(a.get('id')) or 0,
        ),
    )
    about.update(who=_who(chosen), seconds=_seconds(chosen))
    results = chosen.get('result') or []
    if not is_object_list(results):
        return None, [_no_list(where, 'result', results)]
    boxes, labels, problems, size = [], [], [], None
    for n, region in enumerate(r for r in results if r.get('type') != 'relation'):
        place, value = (
            f'{where}, region {n}',
            region.get('value') if isinstance(region.get('value'), dict) else {},
        )
        if region.get('type') == 'rectanglelabels':
            size = (region.get('original_width'), region.get('original_height'))
            box, wrong = _box(region, value, size, place)
            boxes += [box] if box else []
        else:
            names, wrong = _chosen(region, value, place)
            labels += names
        problems += wrong
    return ParsedImage(**about, boxes=boxes, labels=labels, size=size), problems


def _no_list(place: str, name: str, found: Any) -> str:
    return f'{place}: expected a list of objects as "{name}", found {short_repr(found)}. Export again as JSON (raw).'


def _chosen(region: dict, value: dict, place: str) -> tuple[list, list[str]]:
    """Names of the classes in an answer."""
    if region.get('type') != 'choices':
        return [], [
            f'{place}: is of type {short_repr(region.get("type"))}, expected a rectangle or a choice. Take it out '
            'of the label config, and out of this annotation.'
        ]
    names = value.get('choices') or []
    if not isinstance(names, list):
        return [], [
            f'{place}: expected a list of classes as "choices", found {short_repr(names)}. Choose anew.'
        ]
    return names, []


def _box(region: dict, value: dict, size: tuple, place: str) -> tuple[ParsedBox | None, list[str]]:
    names = value.get('rectanglelabels')
    if not isinstance(names, list) or len(names) != 1:
        found = (
            len(names)
            if isinstance(names, list)
            else 'none'
            if names is None
            else short_repr(names)
        )
        return None, [f'{place}: expected one label, found {found}. Give the rectangle one.']
    if value.get('rotation') or region.get('image_rotation'):
        return None, [f'{place}: {ROTATED}']
    percents, sides = (
        [finite_float(value.get(k)) for k in SIDES],
        [finite_float(s) for s in size] * 2,
    )
    if None in percents + sides:
        return None, [
            f'{place}: lacks numbers for x, y, width, height, original_width or original_height. Draw it '
            'anew.'
        ]
    return ParsedBox(
        names[0], [p * side / 100 for p, side in zip(percents, sides, strict=True)], place
    ), []


def _who(annotation: dict) -> str | None:
    by = annotation.get('completed_by')
    by = by.get('email') or by.get('id') if isinstance(by, dict) else by
    return None if by is None else str(by)


def _seconds(annotation: dict) -> float | None:
    took = annotation.get('lead_time')
    return took if isinstance(took, (int, float)) and not isinstance(took, bool) else None
