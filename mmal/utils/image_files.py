"""Find images that cannot be decoded before a model is trained on them or ranks them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from PIL import ExifTags, Image

from mmal.fileio.checksummed import digest_file

from .progress import track

ImageId = TypeVar('ImageId', bound=Hashable)

AXIS_SWAPPING_ORIENTATIONS = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""
MIN_DECODED_SIDE = 32
"""Least width and height in pixels that a JPEG is decoded to, if it has as many."""


class FileIdentity(NamedTuple):
    """What tells whether a file has changed.

    Attributes:
        size: Size in bytes.
        mtime: Time of the last change in nanoseconds.
        sha256: SHA-256 of the content, in hexadecimal.
    """

    size: int
    mtime: int
    sha256: str


class ImageSizes(NamedTuple):
    """Width and height of an image in pixels, twice.

    Attributes:
        stored: (width, height) as the pixels lie in the file.
        loaded: (width, height) as OpenCV loads them, turned by EXIF data where it heeds them.
    """

    stored: tuple[int, int]
    loaded: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ImageCheck:
    """What was found of one image file.

    Attributes:
        reason: Why the file cannot be decoded; None if it can.
        identity: Size, time and checksum of the file; None if it is gone.
        stored_size: (width, height) in pixels as they lie in the file; None if they are not known.
        loaded_size: (width, height) as OpenCV loads them; None if they are not known.
    """

    reason: str | None
    identity: FileIdentity | None
    stored_size: tuple[int, int] | None
    loaded_size: tuple[int, int] | None


def check_images(paths: Mapping[ImageId, str], logger: logging.Logger) -> dict[ImageId, ImageCheck]:
    """Decode every image once, in parallel.

    Args:
        paths: Image file by image id.
        logger: Receives lines of progress where there is no terminal.

    Returns:
        The check of each image by its id, in the order of ``paths``.
    """
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        results = executor.map(_check_image, paths.values())
        checks = track(results, len(paths), 'checking images', logger)
        return dict(zip(paths, checks, strict=True))


def _check_image(path: str) -> ImageCheck:
    reason, sizes = decode(path)
    identity = file_identity(path)
    if sizes is None:
        return ImageCheck(reason, identity, stored_size=None, loaded_size=None)
    return ImageCheck(reason, identity, sizes.stored, sizes.loaded)


def file_identity(path: str) -> FileIdentity | None:
    """Read what tells whether a file has changed.

    Args:
        path: Path of the file.

    Returns:
        Its size, time and checksum, or None if it cannot be read.
    """
    try:
        stat = os.stat(path)
        return FileIdentity(stat.st_size, stat.st_mtime_ns, digest_file(path))
    except OSError:
        return None


def decode(
    path: str, on_image: Callable[[Image.Image], object] | None = None
) -> tuple[str | None, ImageSizes | None]:
    """Decode an image file to its end.

    OpenCV, which mmcv loads with, silently fills the rest of a truncated JPEG with grey; Pillow
    refuses such a file.

    Args:
        path: Path of the file.
        on_image: Called with the decoded image; a JPEG may be at an eighth of its size. Defaults to
            None.

    Returns:
        Why the file cannot be decoded, or None if it can; and its sizes. The sizes are None if it
        cannot be decoded, or if it has more pixels than Pillow opens.
    """
    sizes = None
    try:
        with Image.open(path) as image:
            sizes = _sizes(image)
            _draft(image)
            image.load()
            if on_image is not None:
                on_image(image)
    except Image.DecompressionBombError:
        # Such an image is large, not broken.
        return None, sizes
    except Exception as e:  # noqa: BLE001  codecs raise many things; each is a reason to leave the image out
        return f'{type(e).__name__}: {e}', None
    return None, sizes


def _draft(image: Image.Image) -> None:
    """Have a JPEG decoded at an eighth of its size, which is an eighth of the work."""
    width = max(MIN_DECODED_SIDE, image.width // 8)
    height = max(MIN_DECODED_SIDE, image.height // 8)
    image.draft(None, (width, height))


def _sizes(image: Image.Image) -> ImageSizes:
    """Sizes of an opened image.

    OpenCV and Pillow differ: OpenCV heeds EXIF in JPEG and PNG, both do in TIFF, neither in WebP.
    """
    width, height = image.size
    stored = (width, height)
    if image.format not in ('JPEG', 'MPO', 'PNG'):
        return ImageSizes(stored, loaded=stored)
    orientation = image.getexif().get(ExifTags.Base.Orientation)
    if orientation in AXIS_SWAPPING_ORIENTATIONS:
        return ImageSizes(stored, loaded=(height, width))
    return ImageSizes(stored, loaded=stored)
