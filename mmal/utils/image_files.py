"""Find the images that cannot be decoded, before anything is trained on them or ranked by them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from PIL import ExifTags, Image

from mmal.fileio.checksummed import digest_file

from .progress import track


def file_identity(path: str) -> list:
    """Size in bytes, time of change in nanoseconds, and SHA-256 of an image file; -1, -1 and '' of one that is gone."""
    try:
        stat = os.stat(path)
        return [stat.st_size, stat.st_mtime_ns, digest_file(path)]
    except OSError:
        return [-1, -1, '']


AXIS_SWAPPING_ORIENTATIONS = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""
MIN_DECODED_SIDE = 32
"""Pixels a side that a JPEG is decoded to at least, if it has them."""


def defect(path: str) -> str | None:
    """Why an image file cannot be decoded to its end, or None."""
    return decode(path)[0]


def decode(
    path: str, see: Callable[[Image.Image], object] | None = None
) -> tuple[str | None, tuple | None]:
    """Decode an image file to its end.

    OpenCV, which mmcv loads with, fills the rest of a truncated JPEG with grey and says nothing; Pillow refuses it.

    Args:
        path: Of the file.
        see: Called with the decoded image; a JPEG may be at an eighth of its size. Defaults to None.

    Returns:
        Why it cannot be decoded, or None; and its (width, height) as it lies in the file and as OpenCV turns it, or
        None.
    """
    sizes = None
    try:
        with Image.open(path) as image:
            sizes = _sizes(image)
            # JPEG: an eighth of the work
            image.draft(
                None,
                (max(MIN_DECODED_SIDE, image.width // 8), max(MIN_DECODED_SIDE, image.height // 8)),
            )
            image.load()
            if see is not None:
                see(image)
    except Image.DecompressionBombError:
        return None, sizes  # large, not broken
    except Exception as e:  # noqa: BLE001  codecs raise many things; each is a reason to leave the image out
        return f'{type(e).__name__}: {e}', None
    return None, sizes


def _sizes(image: Image.Image) -> tuple:
    """OpenCV heeds EXIF in JPEG and PNG; in TIFF both do; WebP neither turns."""
    width, height = image.size
    turned = (
        image.format in ('JPEG', 'MPO', 'PNG')
        and image.getexif().get(ExifTags.Base.Orientation) in AXIS_SWAPPING_ORIENTATIONS
    )
    return (width, height), (height, width) if turned else (width, height)


def check_images(paths: Mapping, logger) -> tuple[dict, dict, dict]:
    """Decode every image once.

    Args:
        paths: File by image id.
        logger: Where progress is said.

    Returns:
        The reason by image id, for those that cannot be read; what :func:`~mmal.utils.image_files.file_identity` says of all; and
        the sizes by :func:`look` of those that can be.
    """
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        results = executor.map(lambda path: (*decode(path), file_identity(path)), paths.values())
        found = dict(zip(paths, track(results, len(paths), 'checking images', logger), strict=True))
    reasons, sizes, descriptions = (
        {i: values[n] for i, values in found.items() if values[n]} for n in range(3)
    )
    return reasons, descriptions, sizes
