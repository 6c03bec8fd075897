"""State that proves itself whole: JSON with a checksum of its own, and checksums of the files beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmal.errors import InputError

from .atomic import write_bytes

FORMAT = 2
"""Of the state files. A higher number is of a newer mmal, which this one does not read."""


class CorruptStateError(InputError):
    """A state file is not what was written."""


def digest_bytes(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def digest_file(path: str | Path) -> str:
    """SHA-256 of a file's content."""
    with open(path, 'rb') as f:
        return hashlib.file_digest(f, 'sha256').hexdigest()


def digest_files(paths: Sequence[str | Path]) -> str:
    """Name of the first file and SHA-256 of its content; of several, of their checksums in this order."""
    sums = [digest_file(path) for path in paths]
    more = f' and {len(paths) - 1} more' if len(paths) > 1 else ''
    return f'{Path(paths[0]).name}{more}, sha256 {sums[0] if len(sums) == 1 else digest_bytes("".join(sums).encode())}'


def checksum(data: dict) -> str:
    return digest_bytes(json.dumps(data, sort_keys=True, allow_nan=False).encode())


def checksummed_json(data: dict) -> bytes:
    """JSON of ``data`` with its format and its checksum, ``seal``."""
    data = dict(data, format=FORMAT)
    return json.dumps(dict(data, seal=checksum(data)), indent=1, allow_nan=False).encode()


def write_checksummed(path: str | Path, data: dict) -> None:
    """Write ``data`` as :func:`sealed_bytes`, whole or not at all."""
    write_bytes(path, checksummed_json(data))


def read_checksummed(path: str | Path) -> dict[str, Any]:
    """Read what :func:`write_sealed` wrote, without ``format`` and ``seal``.

    A file without a seal is of a version that had none, and is taken as it is.

    Raises:
        CorruptStateError: If the file is missing, cannot be read as JSON, or is not what its seal says.
        InputError: If a newer version wrote it.
    """
    try:
        data = json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise CorruptStateError(f'{path} is missing.') from None
    except ValueError as e:  # not UTF-8, or not JSON
        raise CorruptStateError(f'{path} is damaged: it is not JSON ({e}).') from None
    if not isinstance(data, dict):
        raise CorruptStateError(
            f'{path} is damaged: expected a JSON object, found {type(data).__name__}.'
        )
    seal, version = data.pop('seal', None), data.get('format', 0)
    if isinstance(version, int) and version > FORMAT:
        raise InputError(
            f'{path} is of format {version}, written by a newer mmal; this one reads up to {FORMAT}. '
            'Update mmal to go on with this run.'
        )
    if (seal is None and version == FORMAT) or (seal is not None and seal != checksum(data)):
        raise CorruptStateError(f'{path} is damaged: its content does not match its checksum.')
    data.pop('format', None)
    return data


def find_corruption(path: str | Path, expected: str | list[str] | None) -> str | None:
    """What is wrong with a file whose checksum was noted, in words; None if nothing is, or none was noted.

    Args:
        path: Of the file.
        expected: Its checksum, or those it may have.
    """
    if not Path(path).exists():
        return f'{path} is missing'
    if expected and digest_file(path) not in (
        [expected] if isinstance(expected, str) else expected
    ):
        return (
            f'{path} is damaged: its content does not match the checksum noted when it was written'
        )
    return None
