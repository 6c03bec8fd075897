"""Open every image once: its size, checksum and looks, or why it cannot be used."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from PIL import Image

from mmal.utils.image_files import decode, file_identity
from mmal.utils.image_loading import ImageLoader
from mmal.utils.progress import track
from mmal.utils.shown_names import shown_names

from .image_source import Source
from .near_duplicates import near_duplicate_groups
from .perceptual_hash import Fingerprint, fingerprint

CHUNK_SIZE = 1024
"""Number of images handed to the threads together. Results that wait there cost memory."""
MIN_SIDE = 2
"""Pixels. Resizing a line of pixels to a detector's input leaves nothing of it."""


@dataclass(frozen=True, slots=True)
class ScannedImage:
    """An image that can be used.

    Attributes:
        name: Path below the root of its :class:`~mmal.project.image_source.Source`.
        width: Width in pixels as the image is loaded, that is, turned as EXIF says.
        height: Height in pixels, likewise.
        bytes: Size of the file in bytes.
        sha256: SHA-256 of the file's content, in hexadecimal.
        fingerprint: What the image looks like; None where its colours have no grey, or Pillow does
            not read it.
        notes: What is unusual in it, as the end of a sentence about such images. Defaults to
            nothing.
    """

    name: str
    width: int
    height: int
    bytes: int
    sha256: str
    fingerprint: Fingerprint | None
    notes: tuple[str, ...] = ()


@dataclass
class Scan:
    """What was found of all images.

    Attributes:
        images: Images that can be used, each content once, in the order of names.
        unusable: Why an image cannot be used, by its name.
        exact_duplicates: The first image with the same content, by the name of the others. These
            others are not in ``images``.
        near_duplicates: The first image that looks alike, by the name of the others. Both are in
            ``images``.
    """

    images: list[ScannedImage] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)
    exact_duplicates: dict[str, str] = field(default_factory=dict)
    near_duplicates: dict[str, str] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """What is unusual in images that can be used, a sentence each without a full stop."""
        names: dict[str, list[str]] = {}
        for image in self.images:
            for note in image.notes:
                names.setdefault(note, []).append(image.name)
        notes = []
        for note, images in names.items():
            notes.append(f'{len(images)} images {note}: {shown_names(images)}')
        return notes

    def representative(self, name: str) -> str:
        """Name of the image that stands for all that look like this one.

        Args:
            name: Name of an image.
        """
        return self.near_duplicates.get(name, name)

    def without_near_duplicates(self) -> Scan:
        """The same without the images that look like one before them."""
        images = [image for image in self.images if image.name not in self.near_duplicates]
        return Scan(images, self.unusable, self.exact_duplicates, near_duplicates={})


def scan(
    source: Source,
    require_utf8: bool,
    logger: logging.Logger,
    loaders: Sequence[ImageLoader] = (),
) -> Scan:
    """Open all images, in parallel.

    Args:
        source: Where the images are.
        require_utf8: Whether an image whose name is not UTF-8 is unusable.
        logger: Receives lines of progress where there is no terminal.
        loaders: Loading steps of the pipelines, which decide of unusual files. Defaults to none.

    Returns:
        What was found.
    """
    result = Scan()
    name_of_content: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', Image.DecompressionBombWarning)
        outcomes = track(
            _open_all(source, require_utf8, loaders), len(source.names), 'looking at images', logger
        )
        for name, outcome in outcomes:
            if isinstance(outcome, str):
                result.unusable[name] = outcome
                continue
            first_name = name_of_content.setdefault(outcome.sha256, name)
            if first_name == name:
                result.images.append(outcome)
            else:
                result.exact_duplicates[name] = first_name
    result.near_duplicates = _find_near_duplicates(result.images)
    return result


def _find_near_duplicates(images: list[ScannedImage]) -> dict[str, str]:
    """The first image that looks alike, by the name of the others."""
    fingerprints = (image.fingerprint for image in images)
    first_rows = near_duplicate_groups(fingerprints, len(images))
    names = {}
    for row, first_row in enumerate(first_rows):
        if first_row != row:
            names[images[row].name] = images[first_row].name
    return names


def _open_all(
    source: Source, require_utf8: bool, loaders: Sequence[ImageLoader]
) -> Iterator[tuple[str, ScannedImage | str]]:
    """Name of each image, and the image or why it cannot be used, in the order of names."""

    def open_one(name: str) -> ScannedImage | str:
        return _open_image(source.root, name, require_utf8, loaders)

    with ThreadPoolExecutor(os.cpu_count()) as executor:
        for start in range(0, len(source.names), CHUNK_SIZE):
            names = source.names[start : start + CHUNK_SIZE]
            yield from zip(names, executor.map(open_one, names), strict=True)


def _open_image(
    root: str, name: str, require_utf8: bool, loaders: Sequence[ImageLoader]
) -> ScannedImage | str:
    """The image, or why it cannot be used."""
    reason = _check_name(name, require_utf8)
    if reason is not None:
        return reason
    path = os.path.join(root, name)
    if not os.path.exists(path):
        note = ' (a link to nowhere)' if os.path.islink(path) else ''
        return f'there is no such file{note}'
    fingerprints: list[Fingerprint | None] = []
    decoded = decode(
        path, lambda image: fingerprints.append(_try_fingerprint(image)), loaders=loaders
    )
    reason, sizes = decoded.reason, decoded.sizes
    if reason is not None:
        return reason
    if sizes is None:
        return 'has more pixels than Pillow opens without harm: shrink it, or cut it up'
    width, height = sizes.loaded
    if min(width, height) < MIN_SIDE:
        return f'is {width} x {height} pixels'
    identity = file_identity(path)
    if identity is None:
        return 'there is no such file'
    # An image may turn out to be too large when its pixels are read.
    looks = fingerprints[0] if fingerprints else None
    return ScannedImage(name, width, height, identity.size, identity.sha256, looks, decoded.notes)


def _check_name(name: str, require_utf8: bool) -> str | None:
    """Why an image of this name cannot be used, or None."""
    if '\n' in name or '\r' in name:
        return 'has a line break in its name, and lists hold a name a line: rename it'
    try:
        name.encode()
    except UnicodeEncodeError:
        if require_utf8:
            return 'its name is not UTF-8, and is not read from a list of classification: rename it'
    return None


def _try_fingerprint(image: Image.Image) -> Fingerprint | None:
    """The fingerprint, or None for colours that Pillow cannot turn into grey."""
    try:
        return fingerprint(image)
    except (ValueError, OSError):
        return None
