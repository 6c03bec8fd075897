"""Which images two sets share, and whether the metric is measured on those that the choice is made
for.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from mmal.fileio.checksummed import digest_file
from mmal.run.overlap import EVALUATION, REFERENCE, SetOverlap

from .context import RunContext

BY_CONTENT = 'file and content'
BY_NAME = 'file name alone'

Digest = Callable[[str], str]
"""Gives the checksum of a file."""


def comparison(run: RunContext) -> tuple[Digest | None, str]:
    """How images are compared, for :func:`counterparts`, and what that is called.

    Args:
        run: The run.

    Returns:
        What gives the checksum of a file; None where ``check_images`` is off.
    """
    if not run.settings.check_images:
        return None, BY_NAME
    return digest_unchanged, BY_CONTENT


def digest_unchanged(path: str) -> str:
    """Read the checksum of a file, once as long as its size and its time of change are the same.

    Args:
        path: Path of the file.
    """
    stat = os.stat(path)
    return _digest(path, stat.st_size, stat.st_mtime_ns)


@cache
def _digest(path: str, size: int, mtime: int) -> str:
    return digest_file(path)


def find_overlap(run: RunContext, sets: Mapping[str, Any]) -> SetOverlap | None:
    """Compare the reference set with the evaluation set.

    Files are compared by path, links followed. Of the others, those of the same size are read and
    compared by checksum, unless ``check_images`` is off. Images in memory are compared by their
    pixels.

    Args:
        run: The run.
        sets: The datasets beside the pool, by what they are called.

    Returns:
        What the sets share; None if one of them is missing, or the reference set is a part of what
        the run has labeled.
    """
    if REFERENCE not in sets or EVALUATION not in sets:
        return None
    reference = run.data.image_names(sets[REFERENCE])
    evaluation = run.data.image_names(sets[EVALUATION])
    digest, by = comparison(run)
    shared = counterparts(reference, evaluation, digest)
    return SetOverlap(images=len(shared), evaluation=len(set(evaluation)), by=by)


def counterparts(
    others: Sequence[str], names: Sequence[str], digest: Digest | None
) -> dict[str, str]:
    """Find images of a set that are in another set, too.

    Args:
        others: Names of the other set's images: paths, or checksums of pixels.
        names: The same of the set.
        digest: Gives the checksum of a file. It is called only for files that are not one and the
            same, and whose size occurs in both sets. None: contents are not compared.

    Returns:
        By the name of each image that is in both, in the order of ``names``, the first one of the
        others that it is.
    """
    other_files = _stat_files(others)
    known_names = set(others)
    name_of_file: dict[tuple[int, int], str] = {}
    others_by_size: dict[int, list[str]] = defaultdict(list)
    for other, found in other_files.items():
        name_of_file.setdefault((found.st_dev, found.st_ino), other)
        others_by_size[found.st_size].append(other)
    contents_by_size: dict[int, dict[str, str]] = {}
    files = _stat_files(names)
    shared = {}
    for name in dict.fromkeys(names):
        if name in known_names:
            shared[name] = name
            continue
        if name not in files:
            continue
        found = files[name]
        same_file = name_of_file.get((found.st_dev, found.st_ino))
        if same_file is not None:
            shared[name] = same_file
            continue
        size = found.st_size
        if digest is None or size not in others_by_size:
            continue
        if size not in contents_by_size:
            contents_by_size[size] = _by_content(others_by_size[size], digest)
        copy = contents_by_size[size].get(digest(name))
        if copy is not None:
            shared[name] = copy
    return shared


def repeated_images(names: Sequence[str], digest: Digest | None) -> dict[str, str]:
    """Find images that stand in a set twice, under two names or one.

    Args:
        names: Names of the set's images: paths, or checksums of pixels.
        digest: As in :func:`counterparts`.

    Returns:
        By the name of each later one the name of the first.
    """
    repeated = {}
    files = _stat_files(names)
    first_of_name: set[str] = set()
    first_of_file: dict[tuple[int, int], str] = {}
    names_by_size: dict[int, list[str]] = defaultdict(list)
    for name in names:
        if name in first_of_name:
            repeated[name] = name
            continue
        first_of_name.add(name)
        if name not in files:
            continue
        found = files[name]
        first = first_of_file.setdefault((found.st_dev, found.st_ino), name)
        if first != name:
            repeated[name] = first
            continue
        names_by_size[found.st_size].append(name)
    if digest is None:
        return repeated
    for same_size in names_by_size.values():
        if len(same_size) == 1:
            continue
        first_of_content: dict[str, str] = {}
        for name in same_size:
            first = first_of_content.setdefault(digest(name), name)
            if first != name:
                repeated[name] = first
    return repeated


def _by_content(names: Iterable[str], digest: Digest) -> dict[str, str]:
    """The first file of each content, by its checksum."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(digest(name), name)
    return first


def _stat_files(names: Iterable[str]) -> dict[str, os.stat_result]:
    """What the file system knows of each name that is a file."""
    found = {}
    for name in dict.fromkeys(names):
        try:
            found[name] = os.stat(name)
        except OSError:
            # It is in memory or in a remote store.
            continue
    return found
