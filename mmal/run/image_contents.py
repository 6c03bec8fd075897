"""Sizes and checksums of the images of a pool, each read when it is first asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from functools import cached_property
from pathlib import Path

from mmal.fileio.checksummed import digest_file

from .image_manifest import recorded_digests


class ImageContents:
    """What tells byte-identical images; see :class:`mmal.pool.copies.Contents`.

    An image file that is not local, or is gone, is taken for different from all others. Of files
    that were checked when the run began the checksums are on record, and the files are not read.

    Args:
        work_dir: Work directory of the run.
        path_of: Returns the path of an image's local file, by its id; '' if it has none.
        pixels_of: Returns a checksum of the pixels of an image without a file, by its id; '' if it
            cannot be known.
    """

    def __init__(
        self,
        work_dir: Path,
        path_of: Callable[[Hashable], str],
        pixels_of: Callable[[Hashable], str],
    ) -> None:
        self._work_dir = work_dir
        self._path_of = path_of
        self._pixels_of = pixels_of
        self._digests: dict[Hashable, str | None] = {}

    def size(self, image_id: Hashable) -> Hashable | None:
        """Return the size of an image's file in bytes.

        Args:
            image_id: Id of an image of the pool.

        Returns:
            The size; for an image without a file, the checksum of its pixels; None if neither is
            known.
        """
        path = self._path_of(image_id)
        if not path:
            return self._pixels_of(image_id) or None
        try:
            return os.stat(path).st_size
        except OSError:
            return None

    def digest(self, image_id: Hashable) -> str | None:
        """Return the SHA-256 of an image's file.

        Args:
            image_id: Id of an image of the pool.

        Returns:
            The SHA-256 in hexadecimal; for an image without a file, the checksum of its pixels;
            None if neither is known.
        """
        if image_id not in self._digests:
            self._digests[image_id] = self._read_digest(image_id)
        return self._digests[image_id]

    def _read_digest(self, image_id: Hashable) -> str | None:
        path = self._path_of(image_id)
        if not path:
            return self._pixels_of(image_id) or None
        recorded = self._recorded.get(str(image_id))
        if recorded:
            return recorded
        try:
            return digest_file(path)
        except OSError:
            return None

    @cached_property
    def _recorded(self) -> dict[str, str]:
        """Checksums of ``images.csv``; none where images were not checked."""
        return recorded_digests(self._work_dir)
