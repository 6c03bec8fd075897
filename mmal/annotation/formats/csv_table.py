"""CSV tables, for classes of whole images.

Columns: file_name, label, id, rank, score, predicted, confidence.
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from mmal.errors import InputError
from mmal.fileio.text import csv_bytes

from ..batch import Batch, BatchImage
from ..parsed import ParsedFile, ParsedImage, short_repr

COLUMNS = ['file_name', 'label', 'id', 'rank', 'score', 'predicted', 'confidence']
"""Columns of the table that annotators are given."""
LABEL_SEPARATOR = ';'
"""What separates the classes of an image that has several."""
DELIMITERS = (',', ';', '\t')
"""What may separate cells: the first of these that the header has."""
MAX_COLUMNS_SHOWN = 20
"""Columns that a message lists at most."""


def export(batch: Batch) -> bytes:
    """Make a table with one row per image, best first, and an empty cell for its label.

    Args:
        batch: The batch to export.
    """
    return csv_bytes(COLUMNS, [_row(batch, image) for image in batch.images])


def _row(batch: Batch, image: BatchImage) -> list[Any]:
    score = '' if image.score is None else image.score
    predicted: Any = ''
    confidence: Any = ''
    if image.predictions:
        predicted = batch.classes[image.predictions[0]['label']]
        confidence = image.predictions[0]['score']
    return [image.file_name, '', image.id, image.rank, score, predicted, confidence]


def parse(text: str) -> ParsedFile:
    """Parse a table with the columns ``label`` and ``id`` or ``file_name``.

    A label is a class name; several are separated by semicolons. An image with an empty label is
    not labeled. The columns ``who`` and ``seconds`` are kept, if they are there.

    Args:
        text: Content of the file.

    Raises:
        InputError: If columns are missing or stand twice, or the table cannot be read.
    """
    header = re.split('[\r\n]', text.lstrip(), maxsplit=1)[0]
    delimiter = next((d for d in DELIMITERS if d in header), ',')
    rows = csv.DictReader(io.StringIO(text, newline=''), delimiter=delimiter)
    try:
        return _parse_rows(rows)
    except csv.Error as e:
        raise InputError(
            f'line {rows.line_num + 1}: {e}. Mend that line: is a quote not closed?'
        ) from None


def _parse_rows(rows: csv.DictReader[str]) -> ParsedFile:
    _check_columns(list(rows.fieldnames or []))
    images = []
    problems = []
    for row in rows:
        where = f'line {rows.line_num}'
        # cells beyond the header's have the key None
        if None in row:
            problems.append(
                f'{where}: more cells than the header has. Quote cells that hold a separator.'
            )
            continue
        try:
            images.append(_parse_row(row, where))
        except ValueError:
            problems.append(
                f'{where}: seconds: expected a number, found {short_repr(row["seconds"])}.'
            )
    return ParsedFile(images, problems)


def _check_columns(columns: list[str]) -> None:
    if 'label' not in columns or not {'id', 'file_name'} & set(columns):
        shown = ', '.join(map(short_repr, columns[:MAX_COLUMNS_SHOWN]))
        raise InputError(
            "expected a header with the columns 'label' and 'id' or 'file_name', separated by "
            f'commas, semicolons or tabs; found {shown or "none"}.'
        )
    for name in ('label', 'id', 'file_name'):
        if columns.count(name) > 1:
            raise InputError(f'the column {name!r} stands twice in the header. Keep one.')


def _parse_row(row: dict[str, Any], where: str) -> ParsedImage:
    """What a row says; ValueError if its ``seconds`` are no number."""
    names = [part.strip() for part in (row['label'] or '').split(LABEL_SEPARATOR)]
    labels = [name for name in names if name]
    seconds = None
    if row.get('seconds'):
        seconds = float(row['seconds'])
    return ParsedImage(
        row.get('id') or None,
        row.get('file_name') or None,
        where,
        labels=labels,
        who=row.get('who') or None,
        seconds=seconds,
        state='labeled' if labels else 'unlabeled',
    )
