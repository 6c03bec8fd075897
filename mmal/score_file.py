"""``scores.csv`` of a round: every candidate in rank order. Read and written row by row: a pool may have millions."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from .artifacts import csv_bytes


def ranked_bytes(column: str, order: list, value: dict, pseudo_boxes: dict) -> bytes:
    """The file of a ranking, nothing selected yet.

    Args:
        column: Name of the score.
        order: All ids, best first.
        value: Score by id.
        pseudo_boxes: Number of confident predictions by id, of those that have one.
    """
    if any(isinstance(i, str) for i in order):  # may need quotes
        return csv_bytes(_columns(column), ([i, value[i], pseudo_boxes.get(i, ''), rank, 0]
                                            for rank, i in enumerate(order)))
    lines = (f'{i},{value[i]},{pseudo_boxes.get(i, "")},{rank},0\n' for rank, i in enumerate(order))
    return csv_bytes(_columns(column), []) + ''.join(lines).encode()


def ids_in(path: str | Path) -> Iterator[str]:
    """Texts of the ids, best first; a file is read as far as they are asked for."""
    with _opened(path) as f:
        for row in _rows(f):
            yield row[0]


def marked_bytes(path: str | Path, column: str, n: int) -> bytes:
    """The file again, with the best ``n`` and no others marked as selected; what follows them is not parsed."""
    head = []
    with _opened(path) as f:
        for row in _rows(f):
            head.append([*row[:-1], int(len(head) < n)])
            if len(head) > n and row[-1] == '0':  # none marked before stands further down
                break
        return csv_bytes(_columns(column), head) + f.read().encode(errors='surrogateescape')


def _columns(column: str) -> list[str]:
    return ['id', column, 'pseudo_boxes', 'rank', 'selected']


def _opened(path: str | Path) -> TextIO:
    return open(path, newline='', encoding='utf-8', errors='surrogateescape')


def _rows(file: TextIO) -> Iterator[list[str]]:
    rows = csv.reader(file)
    next(rows)
    return rows
