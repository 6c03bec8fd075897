"""One run at a time in a work_dir."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from .errors import InputError

_held: dict[str, object] = {}


def lock(work_dir: str | Path, tell: Callable[[str], None] = print) -> None:
    """Hold ``work_dir`` until this process ends. Rank 0 calls it; again is no harm.

    The lock is the kernel's (POSIX, ``lockf``): it ends with the process however that ends, is not inherited by loader
    workers, and holds across the hosts of a network file system whose lock service runs. The file ``.lock`` tells
    whose it is.

    Args:
        work_dir: Of the run.
        tell: Told if the last holder ended without letting go.

    Raises:
        InputError: If another process holds it; host, process and start are named.
    """
    path = Path(work_dir).resolve() / '.lock'
    if str(path) in _held:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, 'a+')  # noqa: SIM115  closing it would release the lock
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        holder = _said(file)
        file.close()
        raise InputError(f'{work_dir} is in use by another run: process {holder.get("pid", "unknown")} on '
                         f'{holder.get("host", "an unknown host")}, since {holder.get("since", "unknown")}. Wait for '
                         'it, end it, or choose another --work-dir.') from None
    before = _said(file)
    if before:
        tell(f'The last run here (process {before.get("pid")} on {before.get("host")}, since {before.get("since")}) '
             f'ended without letting go of {work_dir}; its lock is stale.')
    file.seek(0)
    file.truncate()
    json.dump(dict(host=socket.gethostname(), pid=os.getpid(), since=time.strftime('%Y-%m-%d %H:%M:%S')), file)
    file.flush()
    _held[str(path)] = file


def unlock(work_dir: str | Path) -> None:
    """Let go of ``work_dir``, if this process holds it."""
    file = _held.pop(str(Path(work_dir).resolve() / '.lock'), None)
    if file is not None:
        file.truncate(0)
        file.close()


def _said(file) -> dict:
    """What the holder wrote; nothing if it did not come to that."""
    file.seek(0)
    try:
        return json.load(file)
    except ValueError:
        return {}
