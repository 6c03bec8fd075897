"""Open every image once: its size, its content's digest, what it looks like, or why it cannot be used."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from PIL import Image

from mmal.utils.image_files import decode, file_identity
from mmal.utils.progress import track

from .image_source import Source
from .near_duplicates import near_duplicate_groups
from .perceptual_hash import Fingerprint, fingerprint

AT_A_TIME = 1024
"""Images handed to the threads together; what waits there costs memory."""
LEAST_SIDE = 2
"""Pixels. Resizing a line of pixels to a detector's input leaves nothing of it."""


@dataclass(frozen=True, slots=True)
class ScannedImage:
    """An image that can be used.

    Attributes:
        name: Below the root of its :class:`~mmal.project.image_source.Source`.
        width: In pixels, as it is loaded: turned as EXIF says.
        height: In pixels.
        bytes: Of the file.
        sha256: Of the file's content.
        fingerprint: What it looks like; None where its colours have no grey.
    """

    name: str
    width: int
    height: int
    bytes: int
    sha256: str
    fingerprint: Fingerprint | None


@dataclass
class Scan:
    """What is found of all images.

    Attributes:
        images: Each content once, in the order of names.
        unusable: Why, by name.
        exact_duplicates: The first image with the same content, by the name of the others.
        near_duplicates: The first image that looks alike, by the name of the others; both are in ``images``.
    """

    images: list[ScannedImage] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)
    exact_duplicates: dict[str, str] = field(default_factory=dict)
    near_duplicates: dict[str, str] = field(default_factory=dict)

    def group(self, name: str) -> str:
        """The image that stands for all that look like this one."""
        return self.near_duplicates.get(name, name)

    def without(self, names: set[str]) -> Scan:
        """The same without some images."""
        return Scan(
            [i for i in self.images if i.name not in names],
            self.unusable,
            self.exact_duplicates,
            {k: v for k, v in self.near_duplicates.items() if k not in names},
        )


def scan(source: Source, utf8: bool, logger) -> Scan:
    """Open all images, in parallel.

    Args:
        source: Where they are.
        utf8: Whether names have to be UTF-8.
        logger: Where progress is said.
    """
    found, first = Scan(), {}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', Image.DecompressionBombWarning)
        for name, seen in track(
            _open(source, utf8), len(source.names), 'looking at images', logger
        ):
            if isinstance(seen, str):
                found.unusable[name] = seen
            elif first.setdefault(seen.sha256, name) == name:
                found.images.append(seen)
            else:
                found.exact_duplicates[name] = first[seen.sha256]
    names = [i.name for i in found.images]
    rows = near_duplicate_groups((i.fingerprint for i in found.images), len(names))
    found.near_duplicates = {names[row]: names[at] for row, at in enumerate(rows) if at != row}
    return found


def _open(source: Source, utf8: bool) -> Iterator[tuple[str, ScannedImage | str]]:
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        for start in range(0, len(source.names), AT_A_TIME):
            part = source.names[start : start + AT_A_TIME]
            yield from zip(
                part, executor.map(lambda name: _seen(source.root, name, utf8), part), strict=True
            )


def _seen(root: str, name: str, utf8: bool) -> ScannedImage | str:
    """The image, or why it cannot be used."""
    if reason := _bad_name(name, utf8):
        return reason
    path, prints = os.path.join(root, name), []
    if not os.path.isfile(path):
        return 'there is no such file' + (' (a link to nowhere)' if os.path.islink(path) else '')
    reason, sizes = decode(path, lambda image: prints.append(_print(image)))
    if reason is not None:
        return reason
    if sizes is None:
        return 'has more pixels than Pillow opens without harm: shrink it, or cut it up'
    width, height = sizes[1]
    if min(width, height) < LEAST_SIDE:
        return f'is {width} x {height} pixels'
    identity = file_identity(path)
    if identity is None:
        return 'there is no such file'
    fingerprint = prints[0] if prints else None
    return ScannedImage(name, width, height, identity.size, identity.sha256, fingerprint)


def _bad_name(name: str, utf8: bool) -> str | None:
    if '\n' in name or '\r' in name:
        return 'has a line break in its name, and lists hold a name a line: rename it'
    try:
        name.encode()
    except UnicodeEncodeError:
        return (
            'its name is not UTF-8, and is not read from a list of classification: rename it'
            if utf8
            else None
        )
    return None


def _print(image: Image.Image) -> Fingerprint | None:
    try:
        return fingerprint(image)
    except (ValueError, OSError):  # colours that Pillow cannot turn into grey
        return None
