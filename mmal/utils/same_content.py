"""Find files with the same content, reading no more of them than has to be."""

from __future__ import annotations

import os
from collections.abc import Iterable

from mmal.fileio.checksummed import digest_file


def find_copies(files: Iterable[str], among: Iterable[str]) -> dict[str, str]:
    """Find files that have the same content as others.

    Only files whose size some other has are read.

    Args:
        files: Paths of files. Those that are not there are passed over.
        among: Paths of the others, likewise.

    Returns:
        By the path of each of ``files`` that has a copy, the first of ``among`` with its content.
    """
    files_of_size = _by_size(files)
    if not files_of_size:
        return {}
    others_of_size = _by_size(among)
    copies = {}
    for size, same_size in files_of_size.items():
        others = others_of_size.get(size)
        if not others:
            continue
        first_of: dict[str, str] = {}
        for other in others:
            first_of.setdefault(digest_file(other), other)
        for file in same_size:
            digest = digest_file(file)
            if digest in first_of:
                copies[file] = first_of[digest]
    return copies


def _by_size(files: Iterable[str]) -> dict[int, list[str]]:
    """Paths of the files that are there, by their size in bytes."""
    by_size: dict[int, list[str]] = {}
    for file in files:
        try:
            size = os.stat(file).st_size
        except OSError:
            continue
        by_size.setdefault(size, []).append(file)
    return by_size
