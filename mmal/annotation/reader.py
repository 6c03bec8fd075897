"""Read a file of labels, in whichever format it is, and explain what is broken in it."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from mmal.errors import InputError

from .batch import Batch
from .coco_file import parse_json
from .file_origin import (
    ZIP_SIGNATURES,
    FileOrigin,
    origin_of_bytes,
    origin_of_members,
    origin_of_text,
)
from .formats import coco, csv_table, image_labels, label_studio
from .json_origin import origin_of_json, origin_of_json_lines
from .parsed import ParsedFile, short_repr
from .text_encoding import decode_text

MAX_UNPACKED_BYTES = 2 * 1024**3
"""Bytes that are unpacked from an archive at most."""
UNPACK_HINT = 'Unpack it, and bring the one with the labels'
MAX_MEMBER_BYTES = 4 * 1024**2
"""Bytes of a member of an archive that are looked at to tell what it is."""
TEXT_SUFFIXES = ('.xml', '.yaml', '.csv', '.txt')
"""Kinds of members that tell what an archive is, the surest first."""
_SHADOW = re.compile(r'(^|/)(__MACOSX/|\._)')


def unpack(content: bytes) -> bytes:
    """Read the one JSON file in a zip archive, such as CVAT exports. Nothing is written to disk.

    Args:
        content: Content of a file.

    Returns:
        The JSON file, or ``content`` itself if it is no archive.

    Raises:
        InputError: If there is not exactly one JSON file in the archive, if it is too large, or if
            the archive cannot be read.
    """
    if not content.startswith(ZIP_SIGNATURES):
        return content
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _read_one_json(archive)
    except RuntimeError as e:
        # it has a password, or a kind of compression that Python lacks
        raise InputError(f'the archive cannot be read ({e}). {UNPACK_HINT}.') from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, OverflowError) as e:
        raise InputError(f'the archive is damaged ({e}). Export or download it again.') from None


def _read_one_json(archive: zipfile.ZipFile) -> bytes:
    # macOS puts a shadow beside each file
    names = [name for name in archive.namelist() if not _SHADOW.search(name)]
    _refuse(origin_of_members(names), has_boxes=True)
    json_names = [name for name in names if name.lower().endswith('.json')]
    if len(json_names) != 1:
        raise InputError(_describe_members(archive, names, json_names))
    inner = archive.open(json_names[0]).read(MAX_UNPACKED_BYTES + 1)
    if len(inner) > MAX_UNPACKED_BYTES:
        raise InputError(
            f'{json_names[0]} in the archive has more than {MAX_UNPACKED_BYTES} bytes. '
            f'{UNPACK_HINT}.'
        )
    return inner


def _describe_members(
    archive: zipfile.ZipFile, names: Sequence[str], json_names: Sequence[str]
) -> str:
    """What is in an archive of no JSON file or several, and what to do."""
    found = f'found {len(json_names)}: {", ".join(json_names[:5])}'
    if not json_names:
        kinds = Counter(PurePath(name).suffix.lower() for name in names if name[-1:] != '/')
        shown = ', '.join(f'{n} {kind or "without suffix"}' for kind, n in kinds.most_common(5))
        found = f'found none, but {shown or "nothing"}'
    text = f'expected one JSON file in the archive, {found}.'
    for name in [*json_names[:1], *_with_suffixes(names, TEXT_SUFFIXES)]:
        origin = _origin_of_member(archive, name)
        if origin is not None:
            return f'{text} {name} {origin.refusal()}'
    return f'{text} {UNPACK_HINT}.'


def _with_suffixes(names: Sequence[str], suffixes: Sequence[str]) -> list[str]:
    """The first member of each kind."""
    first = []
    for suffix in suffixes:
        first += [name for name in names if name.lower().endswith(suffix)][:1]
    return first


def _origin_of_member(archive: zipfile.ZipFile, name: str) -> FileOrigin | None:
    """What the member of an archive is, if it is known."""
    text = archive.open(name).read(MAX_MEMBER_BYTES).decode(errors='replace')
    if not name.lower().endswith('.json'):
        return origin_of_text(text)
    try:
        return origin_of_json(json.loads(text))
    except (ValueError, RecursionError):
        return origin_of_json_lines(text)


def read_labels(content: bytes, batch: Batch) -> ParsedFile:
    """Parse a file in whichever of the formats it is: COCO, Label Studio's raw JSON, a list of
    {id, label}, mmengine's list, CSV, or text with "path class" a line.

    Args:
        content: Content of the file.
        batch: The batch that people were asked to label. Tasks of other batches are passed over.

    Raises:
        InputError: If the file is in none of the formats, or in one that cannot answer the batch.
    """
    return parse_labels(content, batch.has_boxes, batch.name, batch.classes)


def parse_labels(
    content: bytes, has_boxes: bool, batch_name: str | None = None, classes: Sequence[str] = ()
) -> ParsedFile:
    """Parse a file of labels that may have been made for no batch.

    Args:
        content: Content of the file.
        has_boxes: Whether boxes are expected, rather than classes of whole images.
        batch_name: Name of the batch whose tasks are wanted. Defaults to None: tasks of any.
        classes: Class names by class index, for lists of {id, label} that give indices. Defaults
            to none: such lists are refused.

    Raises:
        InputError: If the file is in none of the formats, or in one that has other labels.
    """
    _refuse(origin_of_bytes(content), has_boxes)
    text = decode_text(content)
    is_json = text.lstrip()[:1] in ('[', '{')
    if is_json:
        return _read_json(text, has_boxes, batch_name, classes)
    _refuse(origin_of_text(text), has_boxes)
    if has_boxes:
        first = text.lstrip().split('\n', 1)[0]
        raise InputError(
            "expected a COCO file or Label Studio's JSON export with boxes, found neither, but "
            f'text that begins {short_repr(first[:80])}.'
        )
    if image_labels.are_lines(text):
        return image_labels.parse_lines(text, classes)
    return csv_table.parse(text)


def _refuse(origin: FileOrigin | None, has_boxes: bool) -> None:
    """Refuse a file of a kind that is known, and holds no labels that can be read."""
    if origin is not None:
        raise InputError(origin.refusal(has_boxes))


def _read_json(
    text: str, has_boxes: bool, batch_name: str | None, classes: Sequence[str]
) -> ParsedFile:
    try:
        data = parse_json(text)
    except InputError:
        _refuse(origin_of_json_lines(text), has_boxes)
        raise
    if isinstance(data, list):
        if image_labels.fits(data):
            return _read_image_labels(data, has_boxes, classes)
        _refuse(origin_of_json(data), has_boxes)
        return _read_tasks(data, has_boxes, batch_name)
    if not has_boxes and isinstance(data, dict) and image_labels.is_data_list(data):
        return image_labels.parse_data_list(data, classes)
    _refuse(origin_of_json(data), has_boxes)
    if not isinstance(data, dict) or 'images' not in data:
        raise InputError(
            "expected a COCO file (images, annotations, categories) or Label Studio's raw JSON "
            'export (a list of tasks), found other JSON.'
        )
    if not has_boxes:
        raise InputError(
            'is a COCO file, but classes of whole images were asked for. Bring CSV or Label '
            "Studio's JSON export."
        )
    return coco.parse(data)


def _read_image_labels(entries: list[Any], has_boxes: bool, classes: Sequence[str]) -> ParsedFile:
    if has_boxes:
        raise InputError(
            'is a list of {id, label}, classes of whole images, but boxes were asked for. Bring a '
            'COCO file.'
        )
    return image_labels.parse(entries, classes)


def _read_tasks(tasks: list[Any], has_boxes: bool, batch_name: str | None) -> ParsedFile:
    """Parse Label Studio's tasks that were made for this batch, or for none."""
    own_tasks = []
    other_batches: Counter[str] = Counter()
    for task in tasks:
        name = label_studio.batch_name(task)
        if name is None or batch_name in (None, name):
            own_tasks.append(task)
        else:
            other_batches[name] += 1
    return replace(label_studio.parse(own_tasks, has_boxes), other_batches=other_batches)
