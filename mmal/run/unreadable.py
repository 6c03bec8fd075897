from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mmal.fileio.checksummed import read_checksummed, write_checksummed

UNREADABLE = 'unreadable.json'


class UnreadableList:
    """``unreadable.json`` of a run: images left out of every query, with the reason.

    Args:
        work_dir: Of the run.
        path_of: File of an image id, for the log.
        logger: Where each image is named once.
    """

    def __init__(self, work_dir: Path, path_of: Callable, logger) -> None:
        self._file, self._path_of, self._logger = Path(work_dir) / UNREADABLE, path_of, logger

    def __len__(self) -> int:
        return len(self._read())

    def without(self, ids: list) -> list:
        """Those ids that can be read."""
        bad = self._read()
        return [i for i in ids if str(i) not in bad] if bad else list(ids)

    def _read(self) -> dict[str, str]:
        return read_checksummed(self._file)['images']

    def write(self, reasons: Mapping) -> None:
        """Begin the list."""
        self._name(reasons)
        write_checksummed(
            self._file, dict(images={str(i): reason for i, reason in reasons.items()})
        )

    def add(self, reasons: Mapping) -> None:
        """Images that turned out unreadable later, while scoring."""
        if reasons:
            self._name(reasons)
            write_checksummed(
                self._file,
                dict(images=self._read() | {str(i): reason for i, reason in reasons.items()}),
            )

    def _name(self, reasons: Mapping) -> None:
        for i, reason in reasons.items():
            self._logger.warning(
                f'Image {i} ({self._path_of(i)}) cannot be read and is left out: {reason}'
            )
