"""One run at a time in a work_dir."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, TextIO, TypedDict

from mmal.errors import InputError

HEARTBEAT_SECONDS = 60.0
"""Time between two signs of life of a holder."""

STALE_SECONDS = 180.0
"""A holder without a sign of life for so long counts as dead."""

POLL_SECONDS = 2.0
"""Time between two checks of another holder."""

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""Errors of a file system without locks, or without a running lock service."""

_held: dict[str, tuple[TextIO, Event]] = {}


class LockOwner(TypedDict, total=False):
    """What the holder of a lock writes into it. Empty if it did not come to that.

    Attributes:
        host: Name of its host.
        pid: Its process.
        since: Local time at which it took the lock.
    """

    host: str
    pid: int
    since: str


def lock(work_dir: str | Path, tell: Callable[[str], None] = print) -> None:
    """Hold ``work_dir`` until this process ends.

    Only rank 0 calls it; to call it again does no harm.

    The lock is the kernel's (POSIX, ``lockf``). It ends with the process, however that ends, is not
    inherited by loader workers, and holds across hosts if their file system supports that. The file
    ``.lock`` names the holder and is touched once a minute. Where locks do not reach other hosts,
    or there are none, that shows whether the holder lives. A holder on another host that may have
    died is watched for some minutes, because a file server may keep its lock for so long, too.

    Args:
        work_dir: Work directory of the run.
        tell: Receives a line if another holder is waited for, or ended without releasing the lock.

    Raises:
        InputError: If another process holds the lock; host, process and start are named.
    """
    path = Path(work_dir).resolve() / '.lock'
    if str(path) in _held:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, 'a+')  # noqa: SIM115  closing it would release the lock
    try:
        _wait_until_free(file, path, tell)
    except BaseException:
        file.close()
        raise
    former = read_owner(file)
    if former:
        tell(
            f'The last run here (process {former.get("pid")} on {former.get("host")}, since '
            f'{former.get("since")}) ended without letting go of {work_dir}; its lock is stale.'
        )
    owner = LockOwner(
        host=socket.gethostname(), pid=os.getpid(), since=time.strftime('%Y-%m-%d %H:%M:%S')
    )
    file.seek(0)
    file.truncate()
    json.dump(owner, file)
    file.flush()
    ended = Event()
    Thread(target=heartbeat, args=(path, ended), daemon=True).start()
    _held[str(path)] = (file, ended)


def unlock(work_dir: str | Path) -> None:
    """Release ``work_dir``, if this process holds it.

    Args:
        work_dir: Work directory of the run.
    """
    held = _held.pop(str(Path(work_dir).resolve() / '.lock'), None)
    if held is None:
        return
    file, ended = held
    ended.set()
    file.truncate(0)
    file.close()


def heartbeat(path: Path, ended: Event) -> None:
    """Touch a lock file at intervals until the lock is released.

    Args:
        path: The lock file.
        ended: Set when the lock is released.
    """
    while not ended.wait(HEARTBEAT_SECONDS):
        # Without opening the file: to close it again would release the lock.
        with suppress(OSError):
            os.utime(path)


def _wait_until_free(file: TextIO, path: Path, tell: Callable[[str], None]) -> None:
    """Take the kernel's lock, and make sure that no holder lives whom it does not keep out."""
    own_host = socket.gethostname()
    taken = try_lock(file, tell)
    announced = False
    first_beat = path.stat().st_mtime
    start = time.monotonic()
    while True:
        owner = read_owner(file)
        last_beat = path.stat().st_mtime
        waited = time.monotonic() - start
        silent = time.time() - last_beat
        if owner.get('host', own_host) == own_host:
            alive = silent < STALE_SECONDS and process_alive(owner.get('pid'))
            if taken is False or (taken is None and alive):
                raise _refusal(path, owner)
            return
        if last_beat != first_beat or (taken is False and waited >= STALE_SECONDS):
            hint = f' If {owner["host"]} is dead, remove {path} and call again.'
            raise _refusal(path, owner, hint)
        if taken is not False and (silent >= STALE_SECONDS or waited >= STALE_SECONDS):
            return
        if not announced:
            tell(
                f'Process {owner.get("pid")} on {owner["host"]} may be at work in {path.parent}: '
                f'waiting for a sign of life, up to {STALE_SECONDS / 60:.0f} minutes.'
            )
        announced = True
        time.sleep(POLL_SECONDS)
        if taken is False:
            taken = try_lock(file, tell)


def try_lock(file: TextIO, tell: Callable[[str], None]) -> bool | None:
    """Ask the kernel for the lock without waiting.

    Args:
        file: The lock file, open for writing.
        tell: Receives a line if the file system has no locks.

    Returns:
        Whether the lock was given; None if the file system has no locks.

    Raises:
        OSError: If the file system fails in another way.
    """
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as e:
        if e.errno not in NO_LOCKS:
            raise
        tell(
            f'{file.name}: no locks on this file system ({e.strerror}). Another run is noticed by '
            'what it wrote there alone; do not start two at once.'
        )
        return None
    return True


def process_alive(pid: Any) -> bool:
    """Whether another process of this host runs; the calling process does not count.

    Args:
        pid: Number of the process. Anything that is no number counts as not alive.
    """
    try:
        os.kill(int(pid), 0)
    except (TypeError, ValueError, ProcessLookupError):
        return False
    except PermissionError:
        # It belongs to another user.
        return True
    return int(pid) != os.getpid()


def _refusal(path: Path, owner: LockOwner, hint: str = '') -> InputError:
    return InputError(
        f'{path.parent} is in use by another run: process {owner.get("pid", "unknown")} on '
        f'{owner.get("host", "an unknown host")}, since {owner.get("since", "unknown")}. Wait for '
        f'it, end it, or choose another --work-dir.{hint}'
    )


def read_owner(file: TextIO) -> LockOwner:
    """What the holder wrote into the lock file; empty if there is nothing readable.

    Args:
        file: The lock file, open for reading.
    """
    file.seek(0)
    try:
        owner: LockOwner = json.load(file)
    except ValueError:
        return {}
    return owner
