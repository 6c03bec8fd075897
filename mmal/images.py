"""Find the images that cannot be decoded, before anything is trained on them or ranked by them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmengine import dist
from PIL import Image

from .artifacts import read_json, write_json
from .image_record import describe
from .progress import track


def defect(path: str) -> str | None:
    """Why an image file cannot be decoded to its end, or None.

    OpenCV, which mmcv loads with, fills the rest of a truncated JPEG with grey and says nothing; Pillow refuses it.
    """
    try:
        with Image.open(path) as image:
            image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))  # JPEG: an eighth of the work
            image.load()
    except Image.DecompressionBombError:
        return None  # large, not broken
    except Exception as e:  # noqa: BLE001  codecs raise many things; each is a reason to leave the image out
        return f'{type(e).__name__}: {e}'
    return None


def examine_all(paths: Mapping, logger) -> tuple[dict, dict]:
    """Decode every image once.

    Args:
        paths: File by image id.
        logger: Where progress is said.

    Returns:
        The reason by image id, for those that cannot be read, and what :func:`~mmal.image_record.describe` says of all.
    """
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        results = executor.map(lambda path: (defect(path), describe(path)), paths.values())
        found = dict(zip(paths, track(results, len(paths), 'checking images', logger), strict=True))
    return {i: reason for i, (reason, _) in found.items() if reason}, {i: said for i, (_, said) in found.items()}


def find_unreadable(data, logger) -> tuple[dict, dict]:
    """:func:`examine_all` for a pool; every process looks at its share and gets all.

    Args:
        data: Data side of the task.
        logger: Where progress is said.
    """
    share = [i['id'] for i in data.images][dist.get_rank()::dist.get_world_size()] if data.local else []
    parts = dist.all_gather_object(examine_all({i: data.image_path(i) for i in share}, logger) if share else ({}, {}))
    reasons, descriptions = ({i: v for part in parts for i, v in part[n].items()} for n in (0, 1))
    return reasons, {i['id']: descriptions[i['id']] for i in data.images if i['id'] in descriptions}


class UnreadableList:
    """``unreadable.json`` of a run: images left out of every query, with the reason.

    Args:
        work_dir: Of the run.
        path_of: File of an image id, for the log.
        logger: Where each image is named once.
    """

    def __init__(self, work_dir: Path, path_of: Callable, logger) -> None:
        self._file, self._path_of, self._logger = Path(work_dir) / 'unreadable.json', path_of, logger

    def __len__(self) -> int:
        return len(read_json(self._file))

    def without(self, ids: list) -> list:
        """Those ids that can be read."""
        bad = read_json(self._file)
        return [i for i in ids if str(i) not in bad]

    def write(self, reasons: Mapping) -> None:
        """Begin the list."""
        self._name(reasons)
        write_json(self._file, {str(i): reason for i, reason in reasons.items()})

    def add(self, reasons: Mapping) -> None:
        """Images that turned out unreadable later, while scoring."""
        if reasons:
            self._name(reasons)
            write_json(self._file, read_json(self._file) | {str(i): reason for i, reason in reasons.items()})

    def _name(self, reasons: Mapping) -> None:
        for i, reason in reasons.items():
            self._logger.warning(f'Image {i} ({self._path_of(i)}) cannot be read and is left out: {reason}')
