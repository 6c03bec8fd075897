"""Find the images that cannot be decoded, before anything is trained on them or ranked by them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmengine import dist
from PIL import ExifTags, Image

from .errors import InputError
from .group import Group
from .image_record import describe
from .progress import track
from .sealed import read_sealed, write_sealed

TURNED = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""
SEEN = 32
"""Pixels a side that a JPEG is decoded to at least, if it has them."""


def defect(path: str) -> str | None:
    """Why an image file cannot be decoded to its end, or None."""
    return look(path)[0]


def look(path: str, see: Callable[[Image.Image], object] | None = None) -> tuple[str | None, tuple | None]:
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
            image.draft(None, (max(SEEN, image.width // 8), max(SEEN, image.height // 8)))
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
    turned = image.format in ('JPEG', 'MPO', 'PNG') and image.getexif().get(ExifTags.Base.Orientation) in TURNED
    return (width, height), (height, width) if turned else (width, height)


def examine_all(paths: Mapping, logger) -> tuple[dict, dict, dict]:
    """Decode every image once.

    Args:
        paths: File by image id.
        logger: Where progress is said.

    Returns:
        The reason by image id, for those that cannot be read; what :func:`~mmal.image_record.describe` says of all; and
        the sizes by :func:`look` of those that can be.
    """
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        results = executor.map(lambda path: (*look(path), describe(path)), paths.values())
        found = dict(zip(paths, track(results, len(paths), 'checking images', logger), strict=True))
    reasons, sizes, descriptions = ({i: values[n] for i, values in found.items() if values[n]} for n in range(3))
    return reasons, descriptions, sizes


def _examined_together(paths: Mapping, logger, gather: Callable[[tuple], list]) -> tuple[dict, dict, dict]:
    """:func:`examine_all`; every process looks at its share, and gets what ``gather`` gives it of all."""
    share = list(paths)[dist.get_rank()::dist.get_world_size()]
    parts = gather(examine_all({i: paths[i] for i in share}, logger) if share else ({}, {}, {}))
    return tuple({i: v for part in parts for i, v in part[n].items()} for n in range(3))


def find_unreadable(data, logger) -> tuple[dict, dict]:
    """Decode every image of a pool once, and warn of sizes that are not those of the annotation file.

    Every process calls it.

    Args:
        data: Data side of the task.
        logger: Where progress is said.

    Returns:
        In rank 0, the reason by image id, for those that cannot be read, and what
        :func:`~mmal.image_record.describe` says of all. In the others nothing, for a pool may be large.
    """
    paths = {i['id']: data.image_path(i['id']) for i in data.images} if data.local else {}
    reasons, descriptions, sizes = _examined_together(paths, logger, Group().gather_on_rank_0)
    wrong = data.wrong_sizes(sizes)
    if wrong:
        some = '; '.join(f'{paths[i]} is said to be {said[0]} x {said[1]}, and is loaded as {found[0]} x {found[1]}'
                         for i, (said, found) in list(wrong.items())[:3])
        logger.warning(f'{len(wrong)} of {len(paths)} images have another width and height than their annotation file '
                       f'says: {some}. If boxes were drawn on the images as they are loaded, this does no harm; else '
                       'they lie in wrong places. Images whose EXIF data turn them are loaded turned, unless '
                       "LoadImageFromFile has color_type='color_ignore_orientation'.")
    return reasons, {i: descriptions[i] for i in paths if i in descriptions}


def describe_readable(sets: Mapping[str, list[str]], logger) -> dict[str, dict]:
    """Decode the images of evaluation and reference sets. Every process calls it.

    Args:
        sets: Files by what a set is called.
        logger: Where progress is said.

    Returns:
        What :func:`~mmal.image_record.describe` says of each file, by what its set is called.

    Raises:
        InputError: If an image cannot be decoded.
    """
    return {name: _require_readable(files, name, logger) for name, files in sets.items()}


def _require_readable(paths: list[str], name: str, logger) -> dict:
    reasons, descriptions, _ = _examined_together({path: path for path in dict.fromkeys(paths)}, logger, Group().gather)
    if reasons:
        some = '; '.join(f'{path}: {reason}' for path, reason in list(reasons.items())[:3])
        raise InputError(f'{len(reasons)} of {len(paths)} images of the {name} cannot be read: {some}. Repair them or '
                         'take them out of its annotation file. If your loader reads files that Pillow does not, set '
                         'train_cfg.check_images=False.')
    return {path: descriptions[path] for path in dict.fromkeys(paths)}


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
        return read_sealed(self._file)['images']

    def write(self, reasons: Mapping) -> None:
        """Begin the list."""
        self._name(reasons)
        write_sealed(self._file, dict(images={str(i): reason for i, reason in reasons.items()}))

    def add(self, reasons: Mapping) -> None:
        """Images that turned out unreadable later, while scoring."""
        if reasons:
            self._name(reasons)
            write_sealed(self._file, dict(images=self._read() | {str(i): reason for i, reason in reasons.items()}))

    def _name(self, reasons: Mapping) -> None:
        for i, reason in reasons.items():
            self._logger.warning(f'Image {i} ({self._path_of(i)}) cannot be read and is left out: {reason}')
