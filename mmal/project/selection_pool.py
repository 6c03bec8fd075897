"""The images that a selection chooses from: a folder, a list or a COCO file, opened once each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from logging import Logger
from pathlib import Path

from mmal.annotation.match_rules import MatchRule
from mmal.engine.selection_data import FoundImage, FoundImages
from mmal.utils.image_files import FileIdentity
from mmal.utils.image_loading import ImageLoader

from .image_source import find_images
from .scan import scan


class SelectionPool:
    """An :class:`~mmal.engine.selection_data.ImageSource` of image files.

    Args:
        images: Path of a folder, of a text file with a path a line, or of a COCO file.
        rules: Rules by which a name in a file may differ from that of its image. Defaults to none
            but what is always taken.

    Attributes:
        shown: That path.
        root: Absolute path of the folder that all names are below.
        names: Names of all images, in order.
        ids: Ids that a COCO file gives its images, by name.

    Raises:
        InputError: If there is no such folder or file, or it has no image.
    """

    def __init__(self, images: str | Path, rules: Sequence[MatchRule] = ()) -> None:
        source = find_images(images, rules=rules)
        self._source = source
        self.shown = str(images)
        self.root = source.root
        self.names = source.names
        self.ids = source.ids

    def open(self, log: Logger, loaders: Sequence[ImageLoader]) -> FoundImages:
        """Open every image once.

        Args:
            log: Receives progress and warnings of what is unusual.
            loaders: Loading steps of the pipelines, which decide of unusual files.
        """
        scanned = scan(self._source, require_utf8=True, logger=log, loaders=loaders)
        for note in [*self._source.name_notes, *scanned.notes]:
            log.warning(f'{note}.')
        images = []
        for image in scanned.images:
            mtime = os.stat(os.path.join(self.root, image.name)).st_mtime_ns
            identity = FileIdentity(image.bytes, mtime, image.sha256)
            images.append(FoundImage(image.name, image.width, image.height, identity))
        return FoundImages(images, scanned.unusable, scanned.exact_duplicates)
