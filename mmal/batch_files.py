"""Files of a labeled batch that a run reads after it went on: noted when it does, and looked at on every resume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .cost import NAME as COSTS
from .labeling.batch import FOLDER, NAME
from .labeling.labels import NAME as LABELS
from .sealed import Damaged, digest_file, fault, read_sealed

INITIAL = 'initial'
"""Folder of the batch that a run begins with, if people label."""

SEALED = (LABELS, f'{FOLDER}/{NAME}')
FILES = (COSTS, *SEALED)
"""What is predicted of costs, and which images people skipped; below the folder of a batch."""


def note(folder: str | Path) -> dict[str, str]:
    """SHA-256 of those that are there, by name."""
    return {name: digest_file(path) for name in FILES if (path := Path(folder) / name).exists()}


def faults(folder: str | Path, noted: Mapping[str, str]) -> dict[Path, str]:
    """What is wrong with which of them.

    Args:
        folder: Of the batch.
        noted: What :func:`note` said; of a batch that is still open, nothing, and then each must fit its own seal.
    """
    found = {Path(folder) / name: fault(Path(folder) / name, sha256) for name, sha256 in noted.items()}
    found |= {Path(folder) / name: _seal_broken(Path(folder) / name) for name in SEALED if name not in noted}
    return {path: wrong for path, wrong in found.items() if wrong}


def _seal_broken(path: Path) -> str | None:
    try:
        if path.exists():
            read_sealed(path)
    except Damaged as e:
        return str(e).rstrip('.')
    return None
