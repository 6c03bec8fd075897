"""JSON files that carry their own checksum, and checksums of other files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmal.errors import InputError

from .atomic import write_bytes

FORMAT = 2
"""Format of the state files. A higher number is of a newer mmal, which this one does not read."""

_BLOCK_SIZE = 1 << 18


class CorruptStateError(InputError):
    """A state file is not what was written."""


def digest_bytes(content: bytes) -> str:
    """Compute the SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def digest_file(path: str | Path) -> str:
    """Compute the SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb', buffering=0) as file:
        while block := file.read(_BLOCK_SIZE):
            digest.update(block)
    return digest.hexdigest()


def digest_files(paths: Sequence[str | Path]) -> str:
    """Describe files by a name and a checksum, for a record that people read.

    Args:
        paths: Paths of the files, at least one.

    Returns:
        Name of the first file and SHA-256 of its content; for several files, the number of the
        others and the SHA-256 of all their checksums in this order.
    """
    checksums = [digest_file(path) for path in paths]
    name = Path(paths[0]).name
    if len(checksums) == 1:
        return f'{name}, sha256 {checksums[0]}'
    combined = digest_bytes(''.join(checksums).encode())
    return f'{name} and {len(paths) - 1} more, sha256 {combined}'


def checksum(data: dict[str, Any]) -> str:
    """Compute the SHA-256 of the data's JSON text with sorted keys, in hexadecimal.

    Raises:
        ValueError: If a number is not finite, since JSON has no such number.
    """
    return digest_bytes(json.dumps(data, sort_keys=True, allow_nan=False).encode())


def checksummed_json(data: dict[str, Any]) -> bytes:
    """Encode data as JSON with its ``format`` and its checksum, ``seal``.

    Args:
        data: Content of the file; it may not use these two keys.

    Raises:
        ValueError: If a number is not finite, since JSON has no such number.
    """
    content = dict(data, format=FORMAT)
    content['seal'] = checksum(content)
    return json.dumps(content, indent=1, allow_nan=False).encode()


def write_checksummed(path: str | Path, data: dict[str, Any]) -> None:
    """Write data as :func:`checksummed_json`, whole or not at all.

    Args:
        path: Path of the file.
        data: Content of the file.
    """
    write_bytes(path, checksummed_json(data))


def read_checksummed(path: str | Path) -> dict[str, Any]:
    """Read what :func:`write_checksummed` wrote, without ``format`` and ``seal``.

    Args:
        path: Path of the file.

    Raises:
        CorruptStateError: If the file is missing, is not JSON, or does not match its checksum.
        InputError: If a newer version wrote it.
    """
    data = _read_object(path)
    version = data.get('format')
    if isinstance(version, int) and version > FORMAT:
        raise InputError(
            f'{path} is of format {version}, written by a newer mmal; this one reads up to '
            f'{FORMAT}. Update mmal to go on with this run.'
        )
    seal = data.pop('seal', None)
    if seal is None:
        raise CorruptStateError(
            f'{path} is damaged: it has no checksum, which mmal writes into it. '
            'Put back a whole copy.'
        )
    if not _matches(data, seal):
        raise CorruptStateError(f'{path} is damaged: its content does not match its checksum.')
    data.pop('format', None)
    return data


def _read_object(path: str | Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CorruptStateError: If there is none.
    """
    try:
        data = json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise CorruptStateError(f'{path} is missing.') from None
    except ValueError as e:
        # Either the text is not UTF-8, or it is not JSON.
        raise CorruptStateError(f'{path} is damaged: it is not JSON ({e}).') from None
    if not isinstance(data, dict):
        raise CorruptStateError(
            f'{path} is damaged: expected a JSON object, found {type(data).__name__}.'
        )
    return data


def _matches(data: dict[str, Any], seal: object) -> bool:
    try:
        return checksum(data) == seal
    except ValueError:
        # A number that is not finite: Python reads it, but mmal never writes one.
        return False


def find_corruption(path: str | Path, expected: str | list[str] | None) -> str | None:
    """Describe what is wrong with a file whose checksum was noted.

    Args:
        path: Path of the file.
        expected: Checksum of the file, or those it may have; None if none was noted.

    Returns:
        A sentence without its full stop, or None if nothing is wrong or no checksum was noted.
    """
    if not Path(path).exists():
        return f'{path} is missing'
    if not expected:
        return None
    allowed = [expected] if isinstance(expected, str) else expected
    if digest_file(path) in allowed:
        return None
    return f'{path} is damaged: its content does not match the checksum noted when it was written'
