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

from mmal.errors import InputError

HEARTBEAT_SECONDS, STALE_SECONDS, POLL_SECONDS = 60.0, 180.0, 2.0
"""Seconds: between two signs of life of a holder, until one without is taken for dead, and between looks at another."""

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""What a file system without locks, or without a running lock service, answers."""

_held: dict[str, tuple] = {}


def lock(work_dir: str | Path, tell: Callable[[str], None] = print) -> None:
    """Hold ``work_dir`` until this process ends. Rank 0 calls it; again is no harm.

    The lock is the kernel's (POSIX, ``lockf``): it ends with the process however that ends, is not inherited by loader
    workers, and holds across hosts if their file system sees to it. The file ``.lock`` tells whose it is, and is
    touched once a minute: where locks do not reach other hosts, or there are none, that tells whether a holder lives.
    One on another host that may have died is watched for some minutes; so long a file server may keep its lock, too.

    Args:
        work_dir: Of the run.
        tell: Told if another holder is waited for, or ended without letting go.

    Raises:
        InputError: If another process holds it; host, process and start are named.
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
    if before := read_owner(file):
        tell(
            f'The last run here (process {before.get("pid")} on {before.get("host")}, since {before.get("since")}) '
            f'ended without letting go of {work_dir}; its lock is stale.'
        )
    file.seek(0)
    file.truncate()
    json.dump(
        dict(host=socket.gethostname(), pid=os.getpid(), since=time.strftime('%Y-%m-%d %H:%M:%S')),
        file,
    )
    file.flush()
    ended = Event()
    Thread(target=heartbeat, args=(path, ended), daemon=True).start()
    _held[str(path)] = file, ended


def unlock(work_dir: str | Path) -> None:
    """Let go of ``work_dir``, if this process holds it."""
    file, ended = _held.pop(str(Path(work_dir).resolve() / '.lock'), (None, None))
    if file is not None:
        ended.set()
        file.truncate(0)
        file.close()


def heartbeat(path: Path, ended: Event) -> None:
    while not ended.wait(HEARTBEAT_SECONDS):
        with suppress(OSError):  # without opening it: to close it would release the lock
            os.utime(path)


def _wait_until_free(file, path: Path, tell: Callable[[str], None]) -> None:
    """Take the kernel's lock, and make sure that no holder lives whom it does not keep out."""
    here, taken, told = socket.gethostname(), try_lock(file, tell), False
    first, began = path.stat().st_mtime, time.monotonic()
    while True:
        holder, last, waited = read_owner(file), path.stat().st_mtime, time.monotonic() - began
        silent = time.time() - last
        if holder.get('host', here) == here:
            if taken is False or (
                taken is None and silent < STALE_SECONDS and process_alive(holder.get('pid'))
            ):
                raise _refusal(path, holder)
            return
        if last != first or (taken is False and waited >= STALE_SECONDS):
            raise _refusal(
                path, holder, f' If {holder["host"]} is dead, remove {path} and call again.'
            )
        if taken is not False and (silent >= STALE_SECONDS or waited >= STALE_SECONDS):
            return
        if not told:
            tell(
                f'Process {holder.get("pid")} on {holder["host"]} may be at work in {path.parent}: waiting for a sign '
                f'of life, up to {STALE_SECONDS / 60:.0f} minutes.'
            )
        told = True
        time.sleep(POLL_SECONDS)
        taken = try_lock(file, tell) if taken is False else taken


def try_lock(file, tell: Callable[[str], None]) -> bool | None:
    """Whether the kernel gave the lock; None if it cannot."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as e:
        if e.errno not in NO_LOCKS:
            raise
        tell(
            f'{file.name}: no locks on this file system ({e.strerror}). Another run is noticed by what it wrote there '
            'alone; do not start two at once.'
        )
        return None
    return True


def process_alive(pid) -> bool:
    """Whether a process of this host runs; this one does not count."""
    try:
        os.kill(int(pid), 0)
    except (TypeError, ValueError, ProcessLookupError):
        return False
    except PermissionError:  # somebody else's
        return True
    return int(pid) != os.getpid()


def _refusal(path: Path, holder: dict, more: str = '') -> InputError:
    return InputError(
        f'{path.parent} is in use by another run: process {holder.get("pid", "unknown")} on '
        f'{holder.get("host", "an unknown host")}, since {holder.get("since", "unknown")}. Wait for it, '
        f'end it, or choose another --work-dir.{more}'
    )


def read_owner(file) -> dict:
    """What the holder wrote; nothing if it did not come to that."""
    file.seek(0)
    try:
        return json.load(file)
    except ValueError:
        return {}
