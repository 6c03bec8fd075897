"""Files of a labeled batch that a run reads after it went on: noted when it does, and looked at on every resume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmal.annotation.batch import FOLDER, NAME
from mmal.annotation.label_store import NAME as LABELS
from mmal.fileio.checksummed import (
    CorruptStateError,
    digest_file,
    find_corruption,
    read_checksummed,
)
from mmal.pool.cost_model import COSTS_FILE as COSTS

SEALED = (LABELS, f'{FOLDER}/{NAME}')
FILES = (COSTS, *SEALED)
"""What is predicted of costs, and which images people skipped; below the folder of a batch."""


def record_checksums(folder: str | Path) -> dict[str, str]:
    """SHA-256 of those that are there, by name."""
    return {name: digest_file(path) for name in FILES if (path := Path(folder) / name).exists()}


def verify_checksums(folder: str | Path, noted: Mapping[str, str]) -> dict[Path, str]:
    """What is wrong with which of them.

    Args:
        folder: Of the batch.
        noted: What :func:`record_checksums` said; of a batch that is still open, nothing, and then each must fit its own seal.
    """
    found = {
        Path(folder) / name: find_corruption(Path(folder) / name, sha256)
        for name, sha256 in noted.items()
    }
    found |= {
        Path(folder) / name: _seal_broken(Path(folder) / name)
        for name in SEALED
        if name not in noted
    }
    return {path: wrong for path, wrong in found.items() if wrong}


def _seal_broken(path: Path) -> str | None:
    try:
        if path.exists():
            read_checksummed(path)
    except CorruptStateError as e:
        return str(e).rstrip('.')
    return None
