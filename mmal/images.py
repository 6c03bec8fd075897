"""Find the images that cannot be decoded, before anything is trained on them or ranked by them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from .progress import track


def defect(path: str) -> str | None:
    """Why an image file cannot be decoded to its end, or None.

    OpenCV, which mmcv loads with, fills the rest of a truncated JPEG with grey and says nothing; Pillow refuses it.
    """
    try:
        with Image.open(path) as image:
            image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))  # JPEG: an eighth of the work
            image.load()
    except Exception as e:  # noqa: BLE001  codecs raise many things; each is a reason to leave the image out
        return f'{type(e).__name__}: {e}'
    return None


def find_unreadable(paths: Mapping, logger) -> dict:
    """Decode every image once.

    Args:
        paths: File by image id.
        logger: Where progress is said.

    Returns:
        The reason by image id, for those that cannot be read.
    """
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        results = executor.map(defect, paths.values())
        found = dict(zip(paths, track(results, len(paths), 'checking images', logger), strict=True))
    return {image_id: reason for image_id, reason in found.items() if reason}
