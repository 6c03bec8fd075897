"""Write files that are there whole or not at all, and survive a power failure."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

NO_SPACE_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Errors that only writing raises. EIO is not among them: reading an image may raise it, too."""

PARTIAL_FILE = re.compile(r'\..+\.[a-z0-9_]{8}\.part')
"""Temporary names: a dot, the final name, a dot, eight random characters, and ``.part``."""


def write_bytes(path: str | Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file through a temporary name in the same folder, then :func:`commit_file`.

    Missing folders are made. The file gets the permissions that the umask leaves.

    Args:
        path: Path of the file.
        content: Content of the file, at once or in parts.

    Raises:
        OSError: If the file cannot be written. The error names ``path``, and a file that was there
            before is kept.
    """
    path = Path(path)
    parts = [content] if isinstance(content, bytes) else content
    with oserror_with_path(path):
        _make_folder(path.parent)
        handle, temporary = _open_partial_file(path)
        try:
            with os.fdopen(handle, 'wb') as file:
                file.writelines(parts)
            commit_file(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def commit_file(temporary: str | Path, path: str | Path) -> None:
    """Give a finished file its final name: fsync, ``os.replace``, fsync of the folder.

    Args:
        temporary: Path of the finished file, in the folder of ``path``.
        path: Path that the file gets. A file that is there is replaced.
    """
    _fsync(temporary)
    os.replace(temporary, path)
    _fsync(Path(path).parent)


def make_partial_folder(path: str | Path) -> Path:
    """Make an empty folder with a temporary name, to be renamed to its final one when it is filled.

    The folder gets the permissions that the umask leaves.

    Args:
        path: Final path of the folder. The folder above it must exist.

    Returns:
        Path of the new folder, beside ``path``.
    """
    while True:
        folder = _partial_path(Path(path))
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder


def remove_partial_files(folder: str | Path) -> None:
    """Remove what :func:`write_bytes` left half-written when its process was killed.

    No other process may be writing to the folder.

    Args:
        folder: Folder to clean. Folders in it are left alone.
    """
    for path in Path(folder).glob('.*'):
        if PARTIAL_FILE.fullmatch(path.name):
            path.unlink(missing_ok=True)


@contextmanager
def oserror_with_path(path: str | Path) -> Iterator[None]:
    """Have errors of the operating system name this file; those of ``write`` name none.

    Args:
        path: Path of the file that is written or read in the block.

    Raises:
        OSError: If the block raises one; with ``path`` as its file name.
    """
    try:
        yield
    except OSError as e:
        raise OSError(e.errno, e.strerror or str(e), str(path)) from e


@contextmanager
def oserror_with_folder(folder: str | Path) -> Iterator[None]:
    """Have errors of writing that name no file name this folder.

    For files that the host libraries write.

    Args:
        folder: Folder that is written to in the block.

    Raises:
        OSError: If the block raises one.
    """
    try:
        yield
    except OSError as e:
        if e.errno in NO_SPACE_ERRNOS and e.filename is None:
            e.filename = str(folder)
        raise


def _partial_path(path: Path) -> Path:
    """A temporary name beside a path; :data:`PARTIAL_FILE` matches it."""
    return path.with_name(f'.{path.name}.{secrets.token_hex(4)}.part')


def _open_partial_file(path: Path) -> tuple[int, Path]:
    """Create a file with a temporary name beside a path; the umask limits its permissions."""
    while True:
        temporary = _partial_path(path)
        try:
            handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            continue
        return handle, temporary


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, and sync each new one into the folder above it.

    Without the sync, a power failure could lose the folder with all that is in it.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        _fsync(path.parent)


def _fsync(path: str | Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
