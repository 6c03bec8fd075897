"""Read a file of labels, in whichever format it is, and explain what is broken in it."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mmal.errors import InputError

from .batch import Batch
from .formats import coco, csv_table, image_labels, label_studio
from .parsed import ParsedFile

MAX_UNPACKED_BYTES = 2 * 1024**3
"""Bytes that are unpacked from an archive at most."""
UNPACK_HINT = 'Unpack it, and bring the one with the labels'
ZIP_SIGNATURES = (b'PK\x03\x04', b'PK\x05\x06')
"""First bytes of a zip archive, and of an empty one."""


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
    inner = b''
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith('.json')]
            if len(names) == 1:
                inner = archive.open(names[0]).read(MAX_UNPACKED_BYTES + 1)
    except RuntimeError as e:
        # it has a password, or a kind of compression that Python lacks
        raise InputError(f'the archive cannot be read ({e}). {UNPACK_HINT}.') from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, OverflowError) as e:
        raise InputError(f'the archive is damaged ({e}). Export or download it again.') from None
    if not names:
        raise InputError('expected one JSON file in the archive, found none.')
    if len(names) > 1:
        raise InputError(
            f'expected one JSON file in the archive, found {len(names)}: {", ".join(names[:5])}. '
            f'{UNPACK_HINT}.'
        )
    if len(inner) > MAX_UNPACKED_BYTES:
        raise InputError(
            f'{names[0]} in the archive has more than {MAX_UNPACKED_BYTES} bytes. {UNPACK_HINT}.'
        )
    return inner


def read_labels(content: bytes, batch: Batch) -> ParsedFile:
    """Parse a file in whichever of the formats it is: COCO, Label Studio's raw JSON, a list of
    {id, label}, or CSV.

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
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as e:
        raise InputError(
            f'expected text in UTF-8 (JSON or CSV): {e}. Save it as such (in a spreadsheet: "CSV '
            'UTF-8"); if it is an archive, unpack it.'
        ) from None
    is_json = text.lstrip()[:1] in ('[', '{')
    if is_json:
        return _read_json(text, has_boxes, batch_name, classes)
    if has_boxes:
        raise InputError(
            "expected a COCO file or Label Studio's JSON export with boxes, found neither."
        )
    return csv_table.parse(text)


def _read_json(
    text: str, has_boxes: bool, batch_name: str | None, classes: Sequence[str]
) -> ParsedFile:
    data = _parse_json(text)
    if isinstance(data, list):
        if image_labels.fits(data):
            return _read_image_labels(data, has_boxes, classes)
        return _read_tasks(data, batch_name)
    if not isinstance(data, dict) or not {'images', 'annotations', 'categories'} <= set(data):
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


def _read_tasks(tasks: list[Any], batch_name: str | None) -> ParsedFile:
    """Parse Label Studio's tasks that were made for this batch, or for none."""
    own_tasks = []
    other_batches: Counter[str] = Counter()
    for task in tasks:
        name = label_studio.batch_name(task)
        if name is None or batch_name in (None, name):
            own_tasks.append(task)
        else:
            other_batches[name] += 1
    return replace(label_studio.parse(own_tasks), other_batches=other_batches)


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise InputError(
            'is JSON that is nested too deeply for a file of labels. Export or download it again.'
        ) from None
    except ValueError as e:
        raise InputError(f'is not whole JSON: {e}. Export or download it again.') from None
