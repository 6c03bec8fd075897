"""``scores.csv`` of a round: every candidate in rank order.

The columns are id, the sampler's score, pseudo_boxes, rank and selected. ``selected`` is 1 for an
image that was chosen, ``copy`` for one that was left out as a copy, and 0 for all others. The file
is read and written row by row, since a pool may have millions of images.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Hashable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple, TextIO

from mmal.fileio.text import csv_bytes

from .order import CHUNK
from .ranking import Ranked

SPECIAL = re.compile('[,"\r\n]')
"""Characters for which a text needs quotes."""

SELECTED = '1'
"""Mark of an image that was chosen."""

COPY = 'copy'
"""Mark of an image that was left out as a copy of another."""


class Candidate(NamedTuple):
    """An image that may be chosen.

    Attributes:
        text: Text of its id.
        score: Its score.
        pseudo_boxes: Number of confident predictions; None where the sampler made none.
    """

    text: str
    score: float
    pseudo_boxes: int | None


def ranked_bytes(column: str, ranked: Ranked, copies: Collection[Hashable] = ()) -> Iterator[bytes]:
    """Encode a ranking as the file, with nothing selected yet.

    Args:
        column: Name of the score.
        ranked: All candidates, best first.
        copies: Ids that are marked as copies. Defaults to none.

    Yields:
        The file, part by part.
    """
    yield csv_bytes(_columns(column), [])
    for start in range(0, len(ranked.ids), CHUNK):
        chunk = slice(start, start + CHUNK)
        ids = ranked.ids[chunk].tolist()
        marks = [COPY if image_id in copies else '0' for image_id in ids]
        if ranked.ids.dtype == object:
            ids = [_quoted(str(image_id)) for image_id in ids]
        values = ranked.values[chunk].tolist()
        boxes = ranked.boxes[chunk].tolist()
        lines = []
        for image_id, value, n, rank, mark in zip(ids, values, boxes, count(start), marks):  # noqa: B905  count is endless
            pseudo_boxes = '' if n < 0 else n
            lines.append(f'{image_id},{value!r},{pseudo_boxes},{rank},{mark}\n')
        yield ''.join(lines).encode(errors='surrogateescape')


def marked_bytes(
    path: str | Path,
    column: str,
    selected: Collection[str],
    copies: Collection[str] = (),
    copies_below: Collection[str] = (),
) -> bytes:
    """Encode a file again with some candidates, and no others, marked as selected.

    Rows below the marked ones are copied without being parsed.

    Args:
        path: Path of the file.
        column: Name of the score.
        selected: Texts of the ids to mark as selected.
        copies: Texts of the ids to mark as copies, which rank among the selected ones. Defaults to
            none.
        copies_below: Texts of the ids that are copies and rank below all others, marked already
            unless a query that was repeated had selected them. Defaults to none.
    """
    marks = dict.fromkeys((*copies, *copies_below), COPY)
    marks.update(dict.fromkeys(selected, SELECTED))
    unseen = {*selected, *copies}
    head: list[str] = []
    with _open_table(path) as file:
        rows = csv.reader(file)
        next(rows)
        for row in rows:
            mark = marks.get(row[0], '0')
            head.append(','.join([_quoted(row[0]), *row[1:-1], mark]) + '\n')
            # Below the last mark of before there is none but those of the copies at the end.
            if not unseen and row[-1] == '0':
                break
            unseen.discard(row[0])
        parsed_lines = rows.line_num
    with open(path, 'rb') as raw:
        for _ in range(parsed_lines):
            raw.readline()
        tail = raw.read()
    header = csv_bytes(_columns(column), [])
    return header + ''.join(head).encode(errors='surrogateescape') + tail


def candidates_in(path: str | Path) -> Iterator[Candidate]:
    """Read the candidates, best first.

    The file is read only as far as candidates are asked for.

    Args:
        path: Path of the file.

    Yields:
        Each candidate.
    """
    for row in _read_rows(path):
        pseudo_boxes = int(row[2]) if row[2] else None
        yield Candidate(row[0], float(row[1]), pseudo_boxes)


def pseudo_boxes_of(path: str | Path, selected: Collection[str]) -> dict[str, int]:
    """Read how many confident predictions some candidates have.

    The file is read until all are found.

    Args:
        path: Path of the file.
        selected: Texts of their ids.

    Returns:
        The number by text of the id, of the candidates that have one.
    """
    unseen = set(selected)
    counts: dict[str, int] = {}
    if not unseen:
        return counts
    for candidate in candidates_in(path):
        if candidate.text not in unseen:
            continue
        if candidate.pseudo_boxes is not None:
            counts[candidate.text] = candidate.pseudo_boxes
        unseen.discard(candidate.text)
        if not unseen:
            break
    return counts


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
    """Read the scores of the selected images; rows below them are not read.

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
            if row[-1] == '0':
                break
            if row[-1] == SELECTED:
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
