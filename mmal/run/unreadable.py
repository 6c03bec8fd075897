"""The images of a run that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from logging import Logger
from pathlib import Path

from mmal.fileio.checksummed import read_checksummed, write_checksummed


class UnreadableList:
    """``unreadable.json`` of a run: images that are left out of every query, with the reason.

    Args:
        file: Path of the file.
        path_of: Returns the path of an image by its id, for the log.
        log: Receives one warning per image.
    """

    def __init__(self, file: Path, path_of: Callable[[Hashable], str], log: Logger) -> None:
        self._file = file
        self._path_of = path_of
        self._log = log

    def read(self) -> dict[str, str]:
        """The reason by text of the image id."""
        reasons: dict[str, str] = read_checksummed(self._file)['images']
        return reasons

    def without(self, ids: Iterable[Hashable]) -> list[Hashable]:
        """The ids of images that can be read.

        Args:
            ids: Ids of images.
        """
        unreadable = self.read()
        return [image_id for image_id in ids if str(image_id) not in unreadable]

    def write(self, reasons: Mapping[Hashable, str]) -> None:
        """Begin the list.

        Args:
            reasons: Why an image cannot be read, by its id.
        """
        self._warn(reasons)
        self._write({str(image_id): reason for image_id, reason in reasons.items()})

    def add(self, reasons: Mapping[Hashable, str]) -> None:
        """Add images that turned out to be unreadable later, while they were scored.

        Args:
            reasons: Why an image cannot be read, by its id.
        """
        if not reasons:
            return
        self._warn(reasons)
        added = {str(image_id): reason for image_id, reason in reasons.items()}
        self._write(self.read() | added)

    def _write(self, reasons: dict[str, str]) -> None:
        write_checksummed(self._file, dict(images=reasons))

    def _warn(self, reasons: Mapping[Hashable, str]) -> None:
        for image_id, reason in reasons.items():
            path = self._path_of(image_id)
            self._log.warning(f'Image {image_id} ({path}) cannot be read and is left out: {reason}')
