"""Whether the images that a metric is measured on are those that the choice is made for."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mmal.fileio.checksummed import digest_file
from mmal.run.manifest import record_overlap
from mmal.run.overlap import SetOverlap, overlap_caution

from .auxiliary_sets import EVALUATION, REFERENCE
from .context import RunContext

BY_CONTENT = 'file and content'
BY_NAME = 'file name alone'


def tell_overlap(run: RunContext, sets: Mapping[str, Any]) -> None:
    """Record whether the metric is measured on images that the choice is made for, and warn of it.

    Only rank 0 calls it.

    Args:
        run: The run.
        sets: The datasets beside the pool, by what they are called.
    """
    overlap = find_overlap(run, sets)
    record_overlap(run.paths.work_dir, overlap)
    caution = overlap_caution(overlap)
    if caution is not None:
        run.log.warning(caution)


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
    digest = digest_file if run.settings.check_images else None
    shared = shared_images(reference, evaluation, digest)
    by = BY_NAME if digest is None else BY_CONTENT
    return SetOverlap(images=len(shared), evaluation=len(set(evaluation)), by=by)


def shared_images(
    reference: Sequence[str],
    evaluation: Sequence[str],
    digest: Callable[[str], str] | None,
) -> set[str]:
    """Images of an evaluation set that are in a reference set, too.

    Args:
        reference: Names of its images: paths, or checksums of pixels.
        evaluation: The same of the other set.
        digest: Gives the checksum of a file. It is called only for files that are not one and the
            same, and whose size occurs in both sets. None: contents are not compared.

    Returns:
        Names of the images, as ``evaluation`` has them.
    """
    reference_files = _stat_files(reference)
    evaluation_files = _stat_files(evaluation)
    same_files = {(found.st_dev, found.st_ino) for found in reference_files.values()}
    shared = set(evaluation).intersection(reference)
    for name, found in evaluation_files.items():
        if (found.st_dev, found.st_ino) in same_files:
            shared.add(name)
    if digest is None:
        return shared
    reference_by_size = _by_size(reference_files)
    contents_by_size: dict[int, set[str]] = {}
    for name, found in evaluation_files.items():
        size = found.st_size
        if name in shared or size not in reference_by_size:
            continue
        if size not in contents_by_size:
            contents_by_size[size] = {digest(other) for other in reference_by_size[size]}
        if digest(name) in contents_by_size[size]:
            shared.add(name)
    return shared


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


def _by_size(files: Mapping[str, os.stat_result]) -> dict[int, list[str]]:
    by_size: dict[int, list[str]] = defaultdict(list)
    for name, found in files.items():
        by_size[found.st_size].append(name)
    return by_size
