from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .atomic import (
    write_bytes,
)


def json_bytes(data: Any, indent: int | None = 1) -> bytes:
    """JSON; numbers that are not finite are refused, since JSON has none."""
    return json.dumps(data, indent=indent, allow_nan=False).encode()


def write_json(path: str | Path, data: Any, indent: int | None = 1) -> None:
    """Write :func:`json_bytes`."""
    write_bytes(path, json_bytes(data, indent))


def read_json(path: str | Path) -> Any:
    return json.loads(Path(path).read_text(encoding='utf-8'))


def csv_bytes(columns: list[str], rows: Iterable[list]) -> bytes:
    """CSV with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode(errors='surrogateescape')  # file names need not be UTF-8


def write_csv(path: str | Path, columns: list[str], rows: Iterable[list]) -> None:
    """Write :func:`csv_bytes`."""
    write_bytes(path, csv_bytes(columns, rows))


def read_csv(path: str | Path) -> list[dict[str, str]]:
    with open(path, newline='', encoding='utf-8', errors='surrogateescape') as f:
        return list(csv.DictReader(f))


def finite_or_none(score: float | None) -> float | None:
    """The score, or None: JSON knows no other number."""
    return score if score is not None and math.isfinite(score) else None
