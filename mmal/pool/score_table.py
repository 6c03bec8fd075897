"""``scores.csv`` of a round: every candidate in rank order. Read and written row by row: a pool may have millions."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import TextIO

from mmal.fileio.text import csv_bytes

from .order import CHUNK
from .ranking import Ranked

SPECIAL = re.compile('[,"\r\n]')
"""What a text needs quotes for."""


def ranked_bytes(column: str, ranked: Ranked) -> Iterator[bytes]:
    """The file of a ranking, nothing selected yet, part by part.

    Args:
        column: Name of the score.
        ranked: All ids, best first.
    """
    yield csv_bytes(_columns(column), [])
    for start in range(0, len(ranked.ids), CHUNK):
        ids, values, boxes = (part[start : start + CHUNK].tolist() for part in ranked)
        if ranked.ids.dtype == object:
            ids = [_quoted(str(i)) for i in ids]
        rows = zip(ids, values, boxes, count(start))
        lines = [f'{i},{value!r},{"" if n < 0 else n},{rank},0\n' for i, value, n, rank in rows]
        yield ''.join(lines).encode(errors='surrogateescape')


def ids_in(path: str | Path) -> Iterator[str]:
    """Texts of the ids, best first; a file is read as far as they are asked for."""
    with _opened(path) as f:
        for row in _rows(f):
            yield row[0]


def selected_scores(path: str | Path) -> tuple[str, dict[str, float]]:
    """Name of the score, and the score of each selected id (as text), best first; what follows them is not read."""
    with _opened(path) as f:
        rows = csv.reader(f)
        column, found = next(rows)[1], {}
        for row in rows:
            if row[-1] != '1':
                break
            found[row[0]] = float(row[1])
    return column, found


def marked_bytes(path: str | Path, column: str, n: int) -> bytes:
    """The file again, with the best ``n`` and no others marked as selected; what follows them is not parsed."""
    head = []
    with _opened(path) as f:
        rows = csv.reader(f)
        next(rows)
        for row in rows:
            head.append(','.join([_quoted(row[0]), *row[1:-1], str(int(len(head) < n))]) + '\n')
            if len(head) > n and row[-1] == '0':  # none marked before stands further down
                break
    with open(path, 'rb') as f:
        deque(islice(f, rows.line_num), maxlen=0)
        return b''.join(
            [
                csv_bytes(_columns(column), []),
                ''.join(head).encode(errors='surrogateescape'),
                f.read(),
            ]
        )


def _columns(column: str) -> list[str]:
    return ['id', column, 'pseudo_boxes', 'rank', 'selected']


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if SPECIAL.search(text) else text


def _opened(path: str | Path) -> TextIO:
    return open(path, newline='\n', encoding='utf-8', errors='surrogateescape')


def _rows(file: TextIO) -> Iterator[list[str]]:
    rows = csv.reader(file)
    next(rows)
    return rows


def pseudo_boxes_in(path: str | Path) -> Iterator[int | None]:
    """Numbers of confident predictions, in the order of :func:`ids_in`; None where the sampler made none."""
    with _opened(path) as f:
        for row in _rows(f):
            yield int(row[2]) if row[2] else None


def best_score(path: str | Path) -> float:
    """Score of the first row; infinite if there is none."""
    with _opened(path) as f:
        return next((float(row[1]) for row in _rows(f)), float('inf'))
