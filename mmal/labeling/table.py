"""CSV out and in, for classes of whole images: file_name, label, id, rank, score, predicted, confidence."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from ..artifacts import csv_bytes
from ..errors import InputError
from .answer import Answer

if TYPE_CHECKING:
    from .batch import Batch

SEPARATOR = ';'
"""Between the classes of an image that has several."""


def export(batch: Batch) -> bytes:
    """A row an image, with an empty cell for the label."""
    rows = [[i.file_name, '', i.id, i.rank, '' if i.score is None else i.score,
             *((batch.classes[i.predictions[0]['label']], i.predictions[0]['score']) if i.predictions else ('', ''))]
            for i in batch.images]
    return csv_bytes(['file_name', 'label', 'id', 'rank', 'score', 'predicted', 'confidence'], rows)


def parse(text: str) -> tuple[list[Answer], list[str]]:
    """Answers of a table with the columns ``label`` and ``id`` or ``file_name``; an empty label is no answer.

    A label is a class name; several are separated by semicolons. Columns ``who`` and ``seconds`` are kept, if there.
    """
    rows = csv.DictReader(io.StringIO(text))
    columns = set(rows.fieldnames or ())
    if 'label' not in columns or not columns & {'id', 'file_name'}:
        raise InputError("expected a header with the columns 'label' and 'id' or 'file_name', found "
                         f'{", ".join(map(repr, rows.fieldnames or [])) or "none"}.')
    answers, problems = [], []
    for row in rows:
        where = f'line {rows.line_num}'
        if None in row:
            problems.append(f'{where}: more cells than the header has. Quote cells that hold commas.')
            continue
        label = [part.strip() for part in (row['label'] or '').split(SEPARATOR) if part.strip()]
        seconds = row.get('seconds') or None
        try:
            seconds = None if seconds is None else float(seconds)
        except ValueError:
            problems.append(f'{where}: seconds: expected a number, found {seconds!r}.')
            continue
        answers.append(Answer(row.get('id') or None, row.get('file_name') or None, where,
                              label=label[0] if len(label) == 1 else label, who=row.get('who') or None,
                              seconds=seconds, state='labeled' if label else 'unlabeled'))
    return answers, problems
