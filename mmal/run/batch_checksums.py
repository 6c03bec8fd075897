"""Checksums of the files of a labeled batch that a run reads again later."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmal.fileio.checksummed import (
    CorruptStateError,
    digest_file,
    find_corruption,
    read_checksummed,
)

from .layout import BatchPaths


def _checksummed_files(batch: BatchPaths) -> tuple[Path, ...]:
    """Files of a batch that carry a checksum in themselves."""
    return (batch.labels, batch.batch)


def record_checksums(folder: str | Path) -> dict[str, str]:
    """Checksums of the files that a run reads after the batch is labeled.

    These are ``costs.csv``, from which costs are predicted, and the batch with its labels, which
    tell what annotators skipped.

    Args:
        folder: Folder of the batch.

    Returns:
        SHA-256 by name of the file, for the files that exist.
    """
    batch = BatchPaths(Path(folder))
    checksums = {}
    for file in (batch.costs, *_checksummed_files(batch)):
        if file.exists():
            checksums[str(file.relative_to(batch.folder))] = digest_file(file)
    return checksums


def verify_checksums(folder: str | Path, recorded: Mapping[str, str]) -> dict[Path, str]:
    """Check the files of a batch.

    Args:
        folder: Folder of the batch.
        recorded: What :func:`record_checksums` returned. It is empty for a batch that is still
            open; then each file must fit the checksum in itself.

    Returns:
        What is wrong, by file. Empty if all files are whole.
    """
    batch = BatchPaths(Path(folder))
    messages: dict[Path, str | None] = {}
    for name, sha256 in recorded.items():
        messages[batch.folder / name] = find_corruption(batch.folder / name, sha256)
    for file in _checksummed_files(batch):
        if file not in messages:
            messages[file] = _own_checksum_broken(file)
    return {file: message for file, message in messages.items() if message}


def _own_checksum_broken(file: Path) -> str | None:
    if not file.exists():
        return None
    try:
        read_checksummed(file)
    except CorruptStateError as e:
        return str(e).rstrip('.')
    return None
