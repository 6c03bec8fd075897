from __future__ import annotations

from pathlib import Path

from mmal.fileio.checksummed import CorruptStateError, find_corruption, read_checksummed

MAX_POINTS = 2
"""Points kept: if the last one turns out damaged, there is the one before it."""

INDEX_FILE = 'resume.json'


def last_point(folder: str | Path, logger) -> Path | None:
    """The newest whole point of a training that was interrupted, or None.

    Args:
        folder: The training's work_dir.
        logger: Told of points that are not whole.
    """
    for point in reversed(_listed(Path(folder))):
        path = Path(folder) / point['file']
        wrong = find_corruption(path, point['sha256'])
        if wrong is None:
            return path
        logger.warning(f'{wrong}; the point before it is looked at.')
    return None


def remove_points(folder: str | Path) -> None:
    """Remove what an interrupted training would go on from."""
    (Path(folder) / INDEX_FILE).unlink(missing_ok=True)
    for path in Path(folder).glob('resume_*.pth*'):
        path.unlink()


def _listed(folder: Path) -> list[dict]:
    if not (folder / INDEX_FILE).exists():
        return []
    try:
        return read_checksummed(folder / INDEX_FILE)['points']
    except CorruptStateError:  # then the training starts from its beginning, with the same result
        return []
