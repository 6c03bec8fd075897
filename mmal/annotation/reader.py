"""Open a file of labels, in whichever format it is; what is broken in it is explained."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from mmal.errors import InputError

from .batch import Batch
from .formats import coco, csv_table, label_studio
from .parsed import ParsedImage

MOST_UNPACKED = 2 * 1024**3
"""Bytes that are unpacked of an archive, at most."""
UNPACK = 'Unpack it, and bring the one with the labels'


@dataclass(frozen=True)
class ReadResult:
    """What a file says.

    Attributes:
        answers: Of images.
        problems: Lines, each with place and cure.
        others: Names of other batches, with the number of tasks of each that were passed over.
    """

    answers: list[ParsedImage]
    problems: list[str]
    others: Counter = field(default_factory=Counter)


def unpacked(content: bytes) -> bytes:
    """The one JSON file in a zip archive, such as CVAT exports; anything else as it is. Nothing is written to disk.

    Raises:
        InputError: If there is another number of them, or the archive cannot be read.
    """
    if not content.startswith((b'PK\x03\x04', b'PK\x05\x06')):  # the second is of an empty one
        return content
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [n for n in archive.namelist() if n.lower().endswith('.json')]
            inner = archive.open(names[0]).read(MOST_UNPACKED + 1) if len(names) == 1 else b''
    except RuntimeError as e:  # a password; a kind of compression that Python lacks
        raise InputError(f'the archive cannot be read ({e}). {UNPACK}.') from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, OverflowError) as e:
        raise InputError(f'the archive is damaged ({e}). Export or download it again.') from None
    if len(names) != 1:
        found = f'{len(names)}: {", ".join(names[:5])}. {UNPACK}' if names else 'none'
        raise InputError(f'expected one JSON file in the archive, found {found}.')
    if len(inner) > MOST_UNPACKED:
        raise InputError(
            f'{names[0]} in the archive has more than {MOST_UNPACKED} bytes. {UNPACK}.'
        )
    return inner


def read_labels(content: bytes, batch: Batch) -> ReadResult:
    """What a file says, in whichever of the formats it is: COCO, Label Studio's raw JSON, or CSV.

    Args:
        content: Of the file.
        batch: What was asked; tasks of other batches are passed over.

    Raises:
        InputError: If it is in none of them.
    """
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as e:
        raise InputError(
            f'expected text in UTF-8 (JSON or CSV): {e}. Save it as such (in a spreadsheet: "CSV '
            'UTF-8"); if it is an archive, unpack it.'
        ) from None
    if text.lstrip()[:1] not in ('[', '{'):
        if batch.boxes:
            raise InputError(
                "expected a COCO file or Label Studio's JSON export with boxes, found neither."
            )
        return ReadResult(*csv_table.parse(text))
    data = _json(text)
    if isinstance(data, list):
        others = Counter(
            name for name in map(label_studio.batch_of, data) if name not in (None, batch.name)
        )
        mine = [task for task in data if label_studio.batch_of(task) in (None, batch.name)]
        return ReadResult(*label_studio.parse(mine), others)
    if isinstance(data, dict) and {'images', 'annotations', 'categories'} <= set(data):
        if not batch.boxes:
            raise InputError(
                "is a COCO file, but classes of whole images were asked for. Bring CSV or Label Studio's "
                'JSON export.'
            )
        return ReadResult(*coco.parse(data))
    raise InputError(
        "expected a COCO file (images, annotations, categories) or Label Studio's raw JSON export (a "
        'list of tasks), found other JSON.'
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise InputError(
            'is JSON that is nested too deeply for a file of labels. Export or download it again.'
        ) from None
    except ValueError as e:
        raise InputError(f'is not whole JSON: {e}. Export or download it again.') from None
