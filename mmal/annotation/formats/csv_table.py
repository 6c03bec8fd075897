"""CSV out and in, for classes of whole images: file_name, label, id, rank, score, predicted, confidence."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from mmal.annotation.parsed import ParsedImage, short_repr
from mmal.errors import InputError
from mmal.fileio.text import csv_bytes

if TYPE_CHECKING:
    from mmal.annotation.batch import Batch
SEPARATOR = ';'
"""Between the classes of an image that has several."""
DELIMITERS = (',', SEPARATOR, '\t')
"""Between cells: the first of them that the header has."""
MOST_COLUMNS = 20


def export(batch: Batch) -> bytes:
    """A row an image, with an empty cell for the label."""
    rows = [
        [
            i.file_name,
            '',
            i.id,
            i.rank,
            '' if i.score is None else i.score,
            *(
                (batch.classes[i.predictions[0]['label']], i.predictions[0]['score'])
                if i.predictions
                else ('', '')
            ),
        ]
        for i in batch.images
    ]
    return csv_bytes(['file_name', 'label', 'id', 'rank', 'score', 'predicted', 'confidence'], rows)


def parse(text: str) -> tuple[list[ParsedImage], list[str]]:
    """Answers of a table with the columns ``label`` and ``id`` or ``file_name``; an empty label is no answer.

    A label is a class name; several are separated by semicolons. Columns ``who`` and ``seconds`` are kept, if there.
    """
    header = re.split('[\r\n]', text.lstrip(), maxsplit=1)[0]
    delimiter = next((d for d in DELIMITERS if d in header), ',')
    rows = csv.DictReader(io.StringIO(text, newline=''), delimiter=delimiter)
    try:
        return _answers(rows)
    except csv.Error as e:
        raise InputError(
            f'line {rows.line_num + 1}: {e}. Mend that line: is a quote not closed?'
        ) from None


def _answers(rows: csv.DictReader) -> tuple[list[ParsedImage], list[str]]:
    columns = rows.fieldnames or []
    if 'label' not in columns or not {'id', 'file_name'} & set(columns):
        raise InputError(
            "expected a header with the columns 'label' and 'id' or 'file_name', separated by commas, "
            f'semicolons or tabs; found {", ".join(map(short_repr, columns[:MOST_COLUMNS])) or "none"}.'
        )
    for name in ('label', 'id', 'file_name'):
        if columns.count(name) > 1:
            raise InputError(f'the column {name!r} stands twice in the header. Keep one.')
    answers, problems = [], []
    for row in rows:
        where = f'line {rows.line_num}'
        if None in row:
            problems.append(
                f'{where}: more cells than the header has. Quote cells that hold a separator.'
            )
            continue
        labels = [part.strip() for part in (row['label'] or '').split(SEPARATOR) if part.strip()]
        seconds = row.get('seconds') or None
        try:
            seconds = None if seconds is None else float(seconds)
        except ValueError:
            problems.append(f'{where}: seconds: expected a number, found {short_repr(seconds)}.')
            continue
        answers.append(
            ParsedImage(
                row.get('id') or None,
                row.get('file_name') or None,
                where,
                labels=labels,
                who=row.get('who') or None,
                seconds=seconds,
                state='labeled' if labels else 'unlabeled',
            )
        )
    return answers, problems
