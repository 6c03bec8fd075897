"""Checkpoints in the middle of a training, from which an interrupted training continues."""

from __future__ import annotations

from logging import Logger
from pathlib import Path
from typing import TypedDict

from mmal.fileio.checksummed import CorruptStateError, find_corruption, read_checksummed

MAX_POINTS = 2
"""Resume points that are kept: if the last one is damaged, there is the one before it."""

INDEX_FILE = 'resume.json'
"""List of the resume points with their checksums, in the folder of the training."""


class ResumePoint(TypedDict):
    """A checkpoint in the middle of a training.

    Attributes:
        file: Name of the checkpoint in the folder of the training.
        sha256: Checksum of the checkpoint.
    """

    file: str
    sha256: str


def last_point(folder: str | Path, log: Logger) -> Path | None:
    """The newest whole resume point of an interrupted training.

    Args:
        folder: Work directory of the training.
        log: Receives a warning for each resume point that is damaged.

    Returns:
        Path of the checkpoint, or None if there is none.
    """
    for point in reversed(read_points_index(folder)):
        path = Path(folder) / point['file']
        corruption = find_corruption(path, point['sha256'])
        if corruption is None:
            return path
        log.warning(f'{corruption}; the point before it is looked at.')
    return None


def remove_points(folder: str | Path) -> None:
    """Remove all resume points of a training.

    Args:
        folder: Work directory of the training.
    """
    (Path(folder) / INDEX_FILE).unlink(missing_ok=True)
    for path in Path(folder).glob('resume_*.pth*'):
        path.unlink()


def read_points_index(folder: str | Path) -> list[ResumePoint]:
    """The resume points of a training, oldest first.

    A damaged list counts as empty: then the training starts from its beginning, with the same
    result.

    Args:
        folder: Work directory of the training.
    """
    index = Path(folder) / INDEX_FILE
    if not index.exists():
        return []
    try:
        points: list[ResumePoint] = read_checksummed(index)['points']
    except CorruptStateError:
        return []
    return points
