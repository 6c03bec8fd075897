"""``scores.csv`` of a round: every candidate in rank order.

The columns are id, the sampler's score, pseudo_boxes, rank and selected. The file is read and
written row by row, since a pool may have millions of images.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TextIO

from mmal.fileio.text import csv_bytes

from .order import CHUNK
from .ranking import Ranked

SPECIAL = re.compile('[,"\r\n]')
"""Characters for which a text needs quotes."""


def ranked_bytes(column: str, ranked: Ranked) -> Iterator[bytes]:
    """Encode a ranking as the file, with nothing selected yet.

    Args:
        column: Name of the score.
        ranked: All candidates, best first.

    Yields:
        The file, part by part.
    """
    yield csv_bytes(_columns(column), [])
    for start in range(0, len(ranked.ids), CHUNK):
        chunk = slice(start, start + CHUNK)
        ids = ranked.ids[chunk].tolist()
        if ranked.ids.dtype == object:
            ids = [_quoted(str(image_id)) for image_id in ids]
        values = ranked.values[chunk].tolist()
        boxes = ranked.boxes[chunk].tolist()
        lines = []
        for image_id, value, n, rank in zip(ids, values, boxes, count(start)):  # noqa: B905  count is endless
            pseudo_boxes = '' if n < 0 else n
            lines.append(f'{image_id},{value!r},{pseudo_boxes},{rank},0\n')
        yield ''.join(lines).encode(errors='surrogateescape')


def marked_bytes(path: str | Path, column: str, n: int) -> bytes:
    """Encode a file again with the best ``n`` candidates, and no others, marked as selected.

    Rows after the marked ones are copied without being parsed.

    Args:
        path: Path of the file.
        column: Name of the score.
        n: Number of candidates to mark.
    """
    head: list[str] = []
    with _open_table(path) as file:
        rows = csv.reader(file)
        next(rows)
        for row in rows:
            selected = '1' if len(head) < n else '0'
            head.append(','.join([_quoted(row[0]), *row[1:-1], selected]) + '\n')
            # An unmarked row beyond the n best: no marked one is below it.
            if len(head) > n and row[-1] == '0':
                break
        parsed_lines = rows.line_num
    with open(path, 'rb') as raw:
        for _ in range(parsed_lines):
            raw.readline()
        tail = raw.read()
    header = csv_bytes(_columns(column), [])
    return header + ''.join(head).encode(errors='surrogateescape') + tail


def ids_in(path: str | Path) -> Iterator[str]:
    """Read the ids, best first.

    The file is read only as far as ids are asked for.

    Args:
        path: Path of the file.

    Yields:
        Text of each id.
    """
    for row in _read_rows(path):
        yield row[0]


def pseudo_boxes_in(path: str | Path) -> Iterator[int | None]:
    """Read the numbers of confident predictions, in the order of :func:`ids_in`.

    Args:
        path: Path of the file.

    Yields:
        The number of each image; None where the sampler made no predictions.
    """
    for row in _read_rows(path):
        yield int(row[2]) if row[2] else None


def best_score(path: str | Path) -> float:
    """Read the score of the best candidate.

    Args:
        path: Path of the file.

    Returns:
        Score of the first row; infinite if there is none.
    """
    for row in _read_rows(path):
        return float(row[1])
    return float('inf')


def selected_scores(path: str | Path) -> tuple[str, dict[str, float]]:
    """Read the scores of the selected images; rows after them are not read.

    Args:
        path: Path of the file.

    Returns:
        Name of the score, and the score of each selected image by the text of its id, best first.
    """
    scores = {}
    with _open_table(path) as file:
        rows = csv.reader(file)
        header = next(rows)
        for row in rows:
            if row[-1] != '1':
                break
            scores[row[0]] = float(row[1])
    return header[1], scores


def _columns(column: str) -> list[str]:
    return ['id', column, 'pseudo_boxes', 'rank', 'selected']


def _quoted(text: str) -> str:
    """A text as a field of a CSV file."""
    if not SPECIAL.search(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def _open_table(path: str | Path) -> TextIO:
    return open(path, newline='\n', encoding='utf-8', errors='surrogateescape')


def _read_rows(path: str | Path) -> Iterator[list[str]]:
    """Rows below the header, as far as they are asked for."""
    with _open_table(path) as file:
        rows = csv.reader(file)
        next(rows)
        yield from rows
