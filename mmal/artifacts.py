"""Files that are there whole or not at all: JSON, CSV and tensors; never a pickle that is trusted."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

UMASK = os.umask(0o077)  # there is no other way to read it; once, before there are threads
os.umask(UMASK)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write through a temporary name in the same folder, fsync, ``os.replace``, fsync of the folder."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        with os.fdopen(handle, 'wb') as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
            os.chmod(temporary, 0o666 & ~UMASK)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_json(path: str | Path, data: Any, indent: int | None = 1) -> None:
    """Write JSON; numbers that are not finite are refused, since JSON has none."""
    write_bytes(path, json.dumps(data, indent=indent, allow_nan=False).encode())


def read_json(path: str | Path) -> Any:
    return json.loads(Path(path).read_text())


def write_csv(path: str | Path, columns: list[str], rows: list[list]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(columns)
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def read_csv(path: str | Path) -> list[dict[str, str]]:
    with open(path, newline='') as f:
        return list(csv.DictReader(f))


def save_tensors(path: str | Path, data: dict) -> None:
    """Write tensors, and plain values beside them, so that ``torch.load(weights_only=True)`` reads them."""
    buffer = io.BytesIO()
    torch.save(data, buffer)
    write_bytes(path, buffer.getvalue())


def load_tensors(path: str | Path, device: str | torch.device = 'cpu') -> dict[str, Tensor]:
    """Read what :func:`save_tensors` wrote. Only tensors and plain values are accepted; no foreign code can run."""
    return torch.load(path, map_location=device, weights_only=True)
