"""Files that are there whole or not at all: JSON, CSV and tensors; never a pickle that is trusted."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

UMASK = os.umask(0o077)  # there is no other way to read it; once, before there are threads
os.umask(UMASK)

NO_SPACE_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Errors of writing alone; EIO may be of an image that is read."""

PARTIAL_FILE = re.compile(r'\..+\.[a-z0-9_]{8}\.part')
"""Names of temporary files: a dot, the name to be, a dot, tempfile's eight characters, and an end that is ours."""


def write_bytes(path: str | Path, content: bytes | Iterable[bytes]) -> None:
    """Write, part by part or at once, through a temporary name in the same folder; then :func:`put_in_place`."""
    path = Path(path)
    with oserror_with_path(path):
        _make_folder(path.parent)
        handle, temporary = tempfile.mkstemp(
            dir=path.parent, prefix=f'.{path.name}.', suffix='.part'
        )
        try:
            with os.fdopen(handle, 'wb') as f:
                f.writelines([content] if isinstance(content, bytes) else content)
                os.chmod(temporary, 0o666 & ~UMASK)
            commit_file(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def commit_file(temporary: str | Path, path: str | Path) -> None:
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
def oserror_with_path(path: str | Path) -> Iterator[None]:
    """Errors of the operating system within name this file, as those of ``write`` do not."""
    try:
        yield
    except OSError as e:
        raise OSError(e.errno, e.strerror or str(e), str(path)) from e


@contextmanager
def oserror_with_folder(folder: str | Path) -> Iterator[None]:
    """Errors of writing within that name no file name this folder: for files that the host libraries write."""
    try:
        yield
    except OSError as e:
        if e.errno in NO_SPACE_ERRNOS and e.filename is None:
            e.filename = str(folder)
        raise


def remove_partial_files(folder: str | Path) -> None:
    """Remove what :func:`write_bytes` left half-written when its process was killed. No other process may write."""
    for path in Path(folder).glob('.*'):
        if PARTIAL_FILE.fullmatch(path.name):
            path.unlink(missing_ok=True)
