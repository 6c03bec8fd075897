"""JSON and CSV files, written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .atomic import write_bytes


def json_bytes(data: Any, indent: int | None = 1) -> bytes:
    """Encode data as JSON.

    Args:
        data: Data that JSON can hold.
        indent: Spaces per level of nesting; None for one line. Defaults to 1.

    Raises:
        ValueError: If a number is not finite, since JSON has no such number.
    """
    return json.dumps(data, indent=indent, allow_nan=False).encode()


def write_json(path: str | Path, data: Any, indent: int | None = 1) -> None:
    """Write data as JSON, whole or not at all.

    Args:
        path: Path of the file.
        data: Data that JSON can hold.
        indent: Spaces per level of nesting; None for one line. Defaults to 1.

    Raises:
        ValueError: If a number is not finite, since JSON has no such number.
    """
    write_bytes(path, json_bytes(data, indent))


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Args:
        path: Path of the file.

    Raises:
        ValueError: If it is not JSON.
    """
    return json.loads(Path(path).read_text(encoding='utf-8'))


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Encode a table as CSV with a header.

    Text that is not UTF-8 is kept, since file names need not be UTF-8.

    Args:
        columns: Names of the columns.
        rows: Values of each row, in the order of the columns.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode(errors='surrogateescape')


def write_csv(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table as CSV with a header, whole or not at all.

    Args:
        path: Path of the file.
        columns: Names of the columns.
        rows: Values of each row, in the order of the columns.
    """
    write_bytes(path, csv_bytes(columns, rows))


def read_csv(path: str | Path) -> list[dict[str, str]]:
    """Read a CSV file with a header.

    Args:
        path: Path of the file.

    Returns:
        One dict per row: text by name of the column.
    """
    with open(path, newline='', encoding='utf-8', errors='surrogateescape') as file:
        return list(csv.DictReader(file))


def finite_or_none(score: float | None) -> float | None:
    """Replace a number that is not finite, which JSON cannot hold, by None.

    Args:
        score: Any number, or None.
    """
    if score is None or not math.isfinite(score):
        return None
    return score
