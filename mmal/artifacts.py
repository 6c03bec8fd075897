"""Files that are there whole or not at all: JSON, CSV and tensors; never a pickle that is trusted."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

UMASK = os.umask(0o077)  # there is no other way to read it; once, before there are threads
os.umask(UMASK)

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Errors of writing alone; EIO may be of an image that is read."""

LEFT_OVER = re.compile(r'\..+\.[a-z0-9_]{8}\.part')
"""Names of temporary files: a dot, the name to be, a dot, tempfile's eight characters, and an end that is ours."""


def write_bytes(path: str | Path, content: bytes | Iterable[bytes]) -> None:
    """Write, part by part or at once, through a temporary name in the same folder; then :func:`put_in_place`."""
    path = Path(path)
    with naming(path):
        _make_folder(path.parent)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.', suffix='.part')
        try:
            with os.fdopen(handle, 'wb') as f:
                f.writelines([content] if isinstance(content, bytes) else content)
                os.chmod(temporary, 0o666 & ~UMASK)
            put_in_place(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def put_in_place(temporary: str | Path, path: str | Path) -> None:
    """Give a whole file in the same folder its name: fsync, ``os.replace``, fsync of the folder."""
    _fsync(temporary)
    os.replace(temporary, path)
    _fsync(Path(path).parent)


def _make_folder(folder: Path) -> None:
    new = [f for f in (folder, *folder.parents) if not f.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for f in new:
        _fsync(f.parent)  # or a power failure may lose the folder with all that is in it


def _fsync(path: str | Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Errors of the operating system within name this file, as those of ``write`` do not."""
    try:
        yield
    except OSError as e:
        raise OSError(e.errno, e.strerror or str(e), str(path)) from e


@contextmanager
def naming_folder(folder: str | Path) -> Iterator[None]:
    """Errors of writing within that name no file name this folder: for files that the host libraries write."""
    try:
        yield
    except OSError as e:
        if e.errno in NO_ROOM and e.filename is None:
            e.filename = str(folder)
        raise


def sweep_up(folder: str | Path) -> None:
    """Remove what :func:`write_bytes` left half-written when its process was killed. No other process may write."""
    for path in Path(folder).glob('.*'):
        if LEFT_OVER.fullmatch(path.name):
            path.unlink(missing_ok=True)


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


def save_tensors(path: str | Path, data: dict) -> None:
    """Write :func:`tensor_bytes`."""
    write_bytes(path, tensor_bytes(data))


def tensor_bytes(data: dict) -> bytes:
    """Tensors, and plain values beside them, so that ``torch.load(weights_only=True)`` reads them."""
    buffer = io.BytesIO()
    torch.save(data, buffer)
    return buffer.getvalue()


def load_tensors(path: str | Path | io.BytesIO, device: str | torch.device = 'cpu') -> dict[str, Tensor]:
    """Read what :func:`save_tensors` wrote. Only tensors and plain values are accepted; no foreign code can run."""
    return torch.load(path, map_location=device, weights_only=True)
