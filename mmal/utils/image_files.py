"""Find images that cannot be decoded before a model is trained on them or ranks them."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from PIL import ExifTags, Image

from mmal.fileio.checksummed import digest_file

from .foreign_files import foreign_content, irregular_file
from .image_loading import FEWER_BITS, FIRST_FRAME, ImageLoader, load_image
from .progress import track

ImageId = TypeVar('ImageId', bound=Hashable)

AXIS_SWAPPING_ORIENTATIONS = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""
MIN_DECODED_SIDE = 32
"""Least width and height in pixels that a JPEG is decoded to, if it has as many."""


_ORDINARY_MODES = ('RGB', 'L', 'RGBA', 'LA')
"""How Pillow calls 8 bits a channel in a JPEG or PNG file. Transparency is dropped by all."""
_DECODED_FULLY = ('JPEG', 'MPO', 'PNG', 'GIF', 'BMP', 'PPM', 'WEBP')
"""Formats of which Pillow decodes every file that is whole."""
_one_huge_image = threading.Lock()
"""Held while an image is loaded that fills memory."""


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
        notes: What is unusual in the image, as the end of a sentence about such images. Defaults to
            nothing.
    """

    reason: str | None
    identity: FileIdentity | None
    stored_size: tuple[int, int] | None
    loaded_size: tuple[int, int] | None
    notes: tuple[str, ...] = ()


def check_images(
    paths: Mapping[ImageId, str], logger: logging.Logger, loaders: Sequence[ImageLoader] = ()
) -> dict[ImageId, ImageCheck]:
    """Decode every image once, in parallel.

    Args:
        paths: Image file by image id.
        logger: Receives lines of progress where there is no terminal.
        loaders: Loading steps of the pipelines, which decide of unusual files. Defaults to none.

    Returns:
        The check of each image by its id, in the order of ``paths``.
    """

    def check(path: str) -> ImageCheck:
        return _check_image(path, loaders)

    with ThreadPoolExecutor(os.cpu_count()) as executor:
        results = executor.map(check, paths.values())
        checks = track(results, len(paths), 'checking images', logger)
        return dict(zip(paths, checks, strict=True))


def _check_image(path: str, loaders: Sequence[ImageLoader]) -> ImageCheck:
    decoded = decode(path, loaders=loaders)
    identity = None if irregular_file(path) else file_identity(path)
    if decoded.sizes is None:
        return ImageCheck(decoded.reason, identity, stored_size=None, loaded_size=None)
    sizes = decoded.sizes
    return ImageCheck(decoded.reason, identity, sizes.stored, sizes.loaded, decoded.notes)


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
    path: str,
    on_image: Callable[[Image.Image], object] | None = None,
    loaders: Sequence[ImageLoader] = (),
) -> DecodedImage:
    """Decode an image file to its end, and see what pipelines make of one that is unusual.

    OpenCV, which mmcv loads with, silently fills the rest of a truncated JPEG with grey; Pillow
    refuses such a file. An ordinary file, a JPEG or PNG of 8 bits, is decoded by Pillow alone. Of
    all others the loaders decide: Pillow reads files that OpenCV does not, and the other way round,
    and more than 8 bits become 8.

    Args:
        path: Path of the file.
        on_image: Called with the image as Pillow decodes it, if it does; a JPEG may be at an eighth
            of its size. Defaults to None.
        loaders: Loading steps of the pipelines. Defaults to none: Pillow decides.
    """
    irregular = irregular_file(path)
    if irregular is not None:
        return DecodedImage(irregular, None)
    opened = _open_by_pillow(path, on_image)
    if opened.is_final or not loaders:
        reason = opened.reason
        if reason is not None:
            reason = foreign_content(path) or reason
        return DecodedImage(reason, opened.sizes)
    if opened.is_ordinary and all(loader.is_plain for loader in loaders):
        return DecodedImage(opened.reason, opened.sizes)
    if opened.is_huge:
        with _one_huge_image:
            loaded = load_image(path, loaders)
    else:
        loaded = load_image(path, loaders)
    if loaded.size is None:
        return DecodedImage(foreign_content(path) or loaded.reason, None)
    notes = list(loaded.notes)
    if opened.has_more_bits and loaded.has_8_bits:
        notes.append(FEWER_BITS)
    if opened.has_frames:
        notes.append(FIRST_FRAME)
    return DecodedImage(None, ImageSizes(loaded.size, loaded.size), tuple(notes))


class DecodedImage(NamedTuple):
    """What was found of an image file.

    Attributes:
        reason: Why it cannot be used; None if it can.
        sizes: Its sizes; None if it cannot be used, or if it has more pixels than Pillow opens and
            no loader was asked.
        notes: What is unusual in it, as the end of a sentence about such images. Defaults to
            nothing.
    """

    reason: str | None
    sizes: ImageSizes | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _PillowImage:
    """What Pillow makes of a file.

    Attributes:
        reason: Why it does not decode it; None if it does.
        sizes: Its sizes, if they are known.
        is_final: Whether the pixels are damaged, whatever other libraries make of them.
        is_ordinary: Whether every loader that is plain makes three channels of 8 bits of it.
        is_huge: Whether it has more pixels than Pillow opens.
        has_more_bits: Whether a channel has more than 8 bits.
        has_frames: Whether there are several images in the file.
    """

    reason: str | None
    sizes: ImageSizes | None
    is_final: bool = False
    is_ordinary: bool = False
    is_huge: bool = False
    has_more_bits: bool = False
    has_frames: bool = False


def _open_by_pillow(path: str, on_image: Callable[[Image.Image], object] | None) -> _PillowImage:
    opened = None
    is_loaded = False
    image_format = None
    try:
        with Image.open(path) as image:
            # All of this is forgotten once the pixels are decoded.
            image_format = image.format
            stored = image.size
            opened = _PillowImage(
                reason=None,
                sizes=None,
                is_ordinary=_is_ordinary(image),
                has_more_bits=image.mode.startswith(('I', 'F')) or ';16' in _raw_mode(image),
                has_frames=_has_frames(image),
            )
            _draft(image)
            image.load()
            is_loaded = True
            if on_image is not None:
                on_image(image)
            return replace(opened, sizes=_sizes(image, stored))
    except Image.DecompressionBombError:
        # Such an image is large, not broken.
        return _PillowImage(reason=None, sizes=None, is_huge=True)
    except FileNotFoundError as e:
        return _PillowImage(f'{type(e).__name__}: {e}', sizes=None, is_final=True)
    except Exception as e:  # noqa: BLE001  codecs raise many things; each is a reason to leave the image out
        is_damaged = opened is not None and not is_loaded and image_format in _DECODED_FULLY
        return _PillowImage(f'{type(e).__name__}: {e}', sizes=None, is_final=is_damaged)


def _is_ordinary(image: Image.Image) -> bool:
    """Whether OpenCV and Pillow are known to make the same three channels of 8 bits of an image."""
    if image.format not in ('JPEG', 'MPO', 'PNG'):
        return False
    if image.format == 'PNG' and getattr(image, 'is_animated', False):
        return False
    return _raw_mode(image) in _ORDINARY_MODES and _is_within_limits(image)


def _raw_mode(image: Image.Image) -> str:
    """How Pillow calls the way in which pixels lie in the file; '' if it does not say."""
    tiles = getattr(image, 'tile', None)
    if not tiles or not tiles[0][3]:
        return ''
    arguments = tiles[0][3]
    return str(arguments if isinstance(arguments, str) else arguments[0])


def _is_within_limits(image: Image.Image) -> bool:
    """Whether OpenCV opens an image of that size; its limits may be set lower than they are."""
    numbers = dict(
        OPENCV_IO_MAX_IMAGE_PIXELS=image.width * image.height,
        OPENCV_IO_MAX_IMAGE_WIDTH=image.width,
        OPENCV_IO_MAX_IMAGE_HEIGHT=image.height,
    )
    for name, number in numbers.items():
        limit = os.environ.get(name, '')
        if limit.isdecimal() and number > int(limit):
            return False
    return True


def _has_frames(image: Image.Image) -> bool:
    """Whether there are several images in the file. Those beside a photograph's (MPO) are views."""
    return image.format != 'MPO' and getattr(image, 'n_frames', 1) > 1


def read_sizes(path: str) -> ImageSizes | None:
    """Read the sizes of an image from the head of its file.

    Args:
        path: Path of the file.

    Returns:
        The sizes; None if there is no such image.
    """
    try:
        with Image.open(path) as image:
            return _sizes(image, image.size)
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def _draft(image: Image.Image) -> None:
    """Have a JPEG decoded at an eighth of its size, which is an eighth of the work."""
    width = max(MIN_DECODED_SIDE, image.width // 8)
    height = max(MIN_DECODED_SIDE, image.height // 8)
    image.draft(None, (width, height))


def _sizes(image: Image.Image, stored: tuple[int, int]) -> ImageSizes:
    """Sizes of an image whose pixels lie in the file as ``stored`` says.

    OpenCV and Pillow differ: OpenCV heeds EXIF in JPEG and PNG, both do in TIFF, neither in WebP.
    """
    if image.format not in ('JPEG', 'MPO', 'PNG'):
        return ImageSizes(stored, loaded=stored)
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001  Pillow raises many things; OpenCV passes over EXIF data that are broken
        orientation = None
    if orientation in AXIS_SWAPPING_ORIENTATIONS:
        return ImageSizes(stored, loaded=(stored[1], stored[0]))
    return ImageSizes(stored, loaded=stored)
