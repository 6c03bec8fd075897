"""Lists of {id, label}, for classes of whole images: what a run itself keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..parsed import ParsedFile, ParsedImage, short_repr


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


def _class_name(label: Any, classes: Sequence[str]) -> Any:
    """The name of a class; None for what is neither a name nor the index of one."""
    if isinstance(label, bool) or not isinstance(label, (int, str)):
        return None
    if isinstance(label, str):
        return label
    if 0 <= label < len(classes):
        return classes[label]
    return None


def _index_fault(label: Any, classes: Sequence[str]) -> str:
    if isinstance(label, bool) or not isinstance(label, (int, str)):
        return f'label {short_repr(label)}: expected a class name or index, or a list of them.'
    if not classes:
        return f'label {label!r} is an index, and the classes are not known. Name them.'
    return f'label {label!r} is no index of the {len(classes)} classes (0 to {len(classes) - 1}).'
