"""The image files of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

SUFFIXES = (
    '.jpg',
    '.jpeg',
    '.jpe',
    '.png',
    '.bmp',
    '.tif',
    '.tiff',
    '.webp',
    '.ppm',
    '.pgm',
    '.jp2',
)
"""Suffixes of what OpenCV, which mmcv loads with, reads everywhere."""


def walk_files(root: str | os.PathLike[str]) -> Iterator[tuple[str, list[str]]]:
    """Folders and their files. Links to folders are followed once, hidden things passed over.

    Args:
        root: Path of the folder to search.

    Yields:
        The path of a folder, and the names of its files.
    """
    visited = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        yield folder, [name for name in files if not name.startswith('.')]


def image_names(root: str, max_files: int) -> list[str]:
    """Names of all images below a folder.

    Args:
        root: Path of the folder to search.
        max_files: Number of files of any kind that are looked at.

    Returns:
        Paths below the root; none if there are more files, as a part of them would say nothing of
        which names are unique.
    """
    names = []
    n_files = 0
    for folder, files in walk_files(root):
        n_files += len(files)
        if n_files > max_files:
            return []
        below = os.path.relpath(folder, root)
        for file in files:
            if file.lower().endswith(SUFFIXES):
                names.append(file if below == '.' else os.path.join(below, file))
    return names
