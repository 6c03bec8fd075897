"""Lists of images with their classes: {id, label} as a run itself keeps them, mmengine's lists in
JSON, and mmpretrain's text with "path class" a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..parsed import ParsedFile, ParsedImage, is_object_list, short_repr
from .csv_table import DELIMITERS, is_header


def fits(entries: list[Any]) -> bool:
    """Whether a list of a JSON file is of this form.

    Args:
        entries: The list.
    """
    if not entries:
        return False
    return all(isinstance(entry, dict) and _is_entry(entry) for entry in entries)


def _is_entry(entry: dict[str, Any]) -> bool:
    # Label Studio's short JSON has both keys, too, and an annotation_id.
    return {'id', 'label'} <= set(entry) and 'annotation_id' not in entry


def parse(entries: list[dict[str, Any]], classes: Sequence[str]) -> ParsedFile:
    """Parse such a list. A label is a class name or the index of a class, or a list of them.

    Args:
        entries: The list. An id that is text is the name of the file below the images' folder.
        classes: Class names by class index.
    """
    images = []
    problems = []
    for n, entry in enumerate(entries):
        where = f'entry {n} ({short_repr(entry["id"])})'
        given = entry['label']
        labels = []
        for label in given if isinstance(given, list) else [given]:
            name = _class_name(label, classes)
            if name is None:
                problems.append(f'{where}: {_index_fault(label, classes)}')
            else:
                labels.append(name)
        image_id = entry['id']
        name = image_id if isinstance(image_id, str) else None
        known_id = None if isinstance(image_id, str) else image_id
        images.append(ParsedImage(known_id, name, where, labels=labels))
    return ParsedFile(images, problems)


def is_data_list(content: dict[str, Any]) -> bool:
    """Whether the object of a JSON file is a list of images in mmengine's format.

    Args:
        content: The object.
    """
    entries = content.get('data_list')
    if not is_object_list(entries):
        return False
    return all({'img_path', 'gt_label'} <= set(entry) for entry in entries or [])


def parse_data_list(content: dict[str, Any], classes: Sequence[str]) -> ParsedFile:
    """Parse a list in mmengine's format: ``data_list`` with ``img_path`` and ``gt_label``.

    Args:
        content: The object of the file. Where its ``metainfo`` names classes, indices are of that
            order.
        classes: Class names by class index, where it names none.
    """
    metainfo = content.get('metainfo') or {}
    own_classes = metainfo.get('classes') if isinstance(metainfo, dict) else None
    if not isinstance(own_classes, list):
        own_classes = None
    entries = []
    for entry in content['data_list']:
        entries.append(dict(id=entry['img_path'], label=entry['gt_label']))
    return parse(entries, own_classes or classes)


def are_lines(text: str) -> bool:
    """Whether a text has a path and a class a line, and is no table.

    Args:
        text: Content of the file.
    """
    first = next(filter(str.strip, text.splitlines()), '')
    parts = first.split()
    if len(parts) < 2 or '\t' in first.strip() or is_header(first):
        return False
    # A name may have a comma in it; around the last space there is none.
    return not any(
        delimiter in parts[-1] or parts[-2].endswith(delimiter) for delimiter in DELIMITERS
    )


def parse_lines(text: str, classes: Sequence[str]) -> ParsedFile:
    """Parse text as mmpretrain's CustomDataset reads it. Blank lines are passed over.

    Args:
        text: Content of the file: a path, a space, and the name or the index of a class a line.
        classes: Class names by class index.
    """
    images = []
    problems = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        path, *rest = line.strip().rsplit(maxsplit=1)
        where = f'line {number} ({short_repr(path)})'
        if not rest:
            problems.append(f'{where}: expected a path, a space and a class.')
            continue
        label = rest[0]
        name = _class_name(label, classes)
        if name is None:
            problems.append(f'{where}: {_index_fault(label, classes)}')
        else:
            images.append(ParsedImage(None, path, where, labels=[name]))
    return ParsedFile(images, problems)


def _class_name(label: Any, classes: Sequence[str]) -> Any:
    """The name of a class; None for what is neither a name nor the index of one."""
    if isinstance(label, bool) or not isinstance(label, (int, str)):
        return None
    if isinstance(label, str):
        if label in classes or not label.isdecimal():
            return label
        label = int(label)
    if 0 <= label < len(classes):
        return classes[label]
    return None


def _index_fault(label: Any, classes: Sequence[str]) -> str:
    if isinstance(label, bool) or not isinstance(label, (int, str)):
        return f'label {short_repr(label)}: expected a class name or index, or a list of them.'
    if not classes:
        return f'label {label!r} is an index, and the classes are not known. Name them.'
    return f'label {label!r} is no index of the {len(classes)} classes (0 to {len(classes) - 1}).'
