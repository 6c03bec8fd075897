"""CSV tables, for classes of whole images.

Columns: file_name, label, id, rank, score, predicted, confidence.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
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
EXCEL_SEPARATOR = re.compile(r'\s*"?sep=([,;\t])"?[,;\t]*(\r\n|\r|\n)', re.IGNORECASE)
"""The line that Excel takes the separator from."""
NAMES_BY_KEY = {
    'filename': 'file_name',
    'label': 'label',
    'id': 'id',
    'who': 'who',
    'seconds': 'seconds',
}
"""Columns that are read, by their names in lower case without spaces and lines."""
BLANK = ' ,;\t"'
"""What a row consists of that says nothing."""
MAX_START = 100_000
"""Characters that the header is looked for in."""
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
    not labeled. The columns ``who`` and ``seconds`` are kept, if they are there. Columns are known
    in any case, and with or without spaces. Blank rows are passed over, and so is Excel's first
    line ``sep=;``.

    Args:
        text: Content of the file.

    Raises:
        InputError: If columns are missing or stand twice, or the table cannot be read.
    """
    header = _first_line(text)
    start = 0
    match = EXCEL_SEPARATOR.match(text)
    if match is not None:
        delimiter = match.group(1)
        start = match.end()
    else:
        delimiter = next((d for d in DELIMITERS if d in header), ',')
    n_before = 0 if match is None else 1
    return _parse_rows(_read_rows(text[start:], delimiter, n_before), delimiter)


def is_header(line: str) -> bool:
    """Whether a line is the header of a table: one of its cells is ``label``.

    Args:
        line: The line.
    """
    for delimiter in DELIMITERS:
        cells = next(csv.reader([line[:MAX_START]], delimiter=delimiter), [])
        if len(cells) > 1 and 'label' in map(_column_name, cells):
            return True
    return False


def _read_rows(text: str, delimiter: str, n_before: int) -> Iterator[tuple[int, list[str]]]:
    """Each row with the number of its last line.

    Args:
        text: The table.
        delimiter: What separates cells.
        n_before: Lines of the file before its first one.
    """
    rows = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter)
    line = n_before
    while True:
        try:
            cells = next(rows, None)
        except csv.Error as e:
            raise InputError(
                f'line {line + 1}: {e}. Mend that line: is a quote not closed?'
            ) from None
        if cells is None:
            return
        line = n_before + rows.line_num
        yield line, cells


def _first_line(text: str) -> str:
    """The first line that holds anything but separators."""
    for line in re.split('[\r\n]', text[:MAX_START]):
        if line.strip(BLANK):
            return line
    return ''


def _parse_rows(rows: Iterable[tuple[int, list[str]]], delimiter: str) -> ParsedFile:
    """What all rows say."""
    columns: list[str] = []
    images = []
    problems = []
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if not columns:
            columns = [_column_name(cell) for cell in cells]
            _check_columns(columns, cells, delimiter)
            continue
        where = f'line {line}'
        if any(cell.strip() for cell in cells[len(columns) :]):
            problems.append(
                f'{where}: more cells than the header has. Quote cells that hold a separator.'
            )
            continue
        row = {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}
        image, fault = _parse_row(row, where)
        if fault is not None:
            problems.append(f'{where}: {fault}')
        else:
            images.append(image)
    if not columns:
        _check_columns([], [], delimiter)
    return ParsedFile(images, problems)


def _column_name(cell: str) -> str:
    """The name that we have for a column; its own where we have none."""
    key = re.sub(r'[\s_-]', '', cell).casefold()
    return NAMES_BY_KEY.get(key, cell.strip())


def _check_columns(columns: list[str], cells: list[str], delimiter: str) -> None:
    if 'label' not in columns or not {'id', 'file_name'} & set(columns):
        shown = ', '.join(map(short_repr, cells[:MAX_COLUMNS_SHOWN]))
        raise InputError(
            "expected a header with the columns 'label' and 'id' or 'file_name', separated by "
            f'commas, semicolons or tabs; found {shown or "none"}. Write as the first line: '
            f'file_name{delimiter}label'
        )
    for name in ('label', 'id', 'file_name', 'who', 'seconds'):
        if columns.count(name) > 1:
            raise InputError(f'the column {name!r} stands twice in the header. Keep one.')


def _parse_row(row: dict[str, str], where: str) -> tuple[ParsedImage, str | None]:
    """What a row says, and its fault."""
    names = [part.strip() for part in row.get('label', '').split(LABEL_SEPARATOR)]
    labels = [name for name in names if name]
    said = row.get('seconds', '')
    seconds = _number(said)
    image = ParsedImage(
        row.get('id') or None,
        row.get('file_name') or None,
        where,
        labels=labels,
        who=row.get('who') or None,
        seconds=seconds,
        state='labeled' if labels else 'unlabeled',
    )
    if said and seconds is None:
        return image, f'seconds: expected a number, found {short_repr(said)}.'
    if image.image_id is None and image.file_name is None:
        return image, 'names no image. Fill in file_name or id, or take the row out.'
    return image, None


def _number(text: str) -> float | None:
    """A number with a decimal point, or with a comma as spreadsheets of many countries have it."""
    if text.count(',') == 1 and '.' not in text:
        text = text.replace(',', '.')
    try:
        return float(text)
    except ValueError:
        return None
