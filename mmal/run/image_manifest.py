"""What the images of a run were when it began, so that a resumed run notices a change."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mmal.errors import InputError
from mmal.fileio.checksummed import digest_file
from mmal.fileio.text import read_csv, read_json, write_csv
from mmal.utils.image_files import FileIdentity

from .layout import RunPaths

_IDENTITY_COLUMNS = ['bytes', 'mtime_ns', 'sha256']
_MAX_NAMES = 3


def write_pool_images(
    work_dir: str | Path, identities: Mapping[Hashable, FileIdentity | None]
) -> None:
    """Write ``images.csv``: id, bytes, mtime_ns and sha256 of every image of the pool.

    Args:
        work_dir: Work directory of the run.
        identities: Size, time and checksum by image id; None for a file that is gone.
    """
    rows = [[image_id, *_cells(identity)] for image_id, identity in identities.items()]
    write_csv(RunPaths(Path(work_dir)).images, ['id', *_IDENTITY_COLUMNS], rows)


def write_other_images(
    work_dir: str | Path, sets: Mapping[str, Mapping[str, FileIdentity | None]]
) -> None:
    """Write ``other_images.csv``: set, file, bytes, mtime_ns and sha256 of the images beside the
    pool.

    Args:
        work_dir: Work directory of the run.
        sets: Size, time and checksum by file, by what a set is called.
    """
    rows = []
    for name, identities in sets.items():
        for file, path in _relative_to_common_folder(identities).items():
            rows.append([name, file, *_cells(identities[path])])
    write_csv(RunPaths(Path(work_dir)).other_images, ['set', 'file', *_IDENTITY_COLUMNS], rows)


def _cells(identity: FileIdentity | None) -> tuple[int, int, str]:
    if identity is None:
        return (-1, -1, '')
    return identity


def require_pool_unchanged(work_dir: str | Path, paths: Mapping[str, str]) -> None:
    """Compare the files of the pool with the record.

    A file is read only if its size or time of change differ.

    Args:
        work_dir: Work directory of the run. A run without a record (``check_images=False``) is not
            checked.
        paths: Image file by text of the image id.

    Raises:
        InputError: If the content of an image is another.
    """
    pairs = []
    for row in _read_rows(RunPaths(Path(work_dir)).images):
        if row['id'] in paths:
            pairs.append((paths[row['id']], row))
    changed = _changed_files(pairs)
    if changed:
        raise InputError(
            f'{_change_message("pool", changed, work_dir)} Scores and labels made from them would '
            'not fit. Put the old files back, or start anew in another --work-dir.'
        )


def require_others_unchanged(work_dir: str | Path, sets: Mapping[str, Iterable[str]]) -> None:
    """Do the same as :func:`require_pool_unchanged` for the images beside the pool.

    New images are not compared.

    Args:
        work_dir: Work directory of the run.
        sets: Image files by what a set is called.

    Raises:
        InputError: If the content of an image is another.
    """
    rows = _read_rows(RunPaths(Path(work_dir)).other_images)
    for name, files in sets.items():
        paths = _relative_to_common_folder(files)
        pairs = []
        for row in rows:
            if row['set'] == name and row['file'] in paths:
                pairs.append((paths[row['file']], row))
        changed = _changed_files(pairs)
        if changed:
            raise InputError(
                f'{_change_message(name, changed, work_dir)} Rounds could not be compared. Put the '
                'old files back, or start anew in another --work-dir.'
            )


def _relative_to_common_folder(paths: Iterable[str]) -> dict[str, str]:
    """Files by where they lie in the folder of them all, which may be moved."""
    paths = list(paths)
    if not paths:
        return {}
    root = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths])
    return {os.path.relpath(path, root): path for path in paths}


def recorded_digests(work_dir: str | Path) -> dict[str, str]:
    """Read the checksums of the pool's files that were there when the run began.

    Args:
        work_dir: Work directory of the run.

    Returns:
        SHA-256 by text of the image id; empty for a run without a record (``check_images=False``).
    """
    rows = _read_rows(RunPaths(Path(work_dir)).images)
    return {row['id']: row['sha256'] for row in rows}


def _read_rows(file: Path) -> list[dict[str, str]]:
    """Rows of files that were there. None if there is no record."""
    if not file.exists():
        return []
    return [row for row in read_csv(file) if row['sha256']]


def _changed_files(pairs: list[tuple[str, dict[str, str]]]) -> list[str]:
    """Files whose content is not as recorded."""
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        results = executor.map(_has_changed, pairs)
        return [path for (path, _), changed in zip(pairs, results, strict=True) if changed]


def _has_changed(pair: tuple[str, dict[str, str]]) -> bool:
    path, row = pair
    try:
        stat = os.stat(path)
    except OSError:
        return True
    if str(stat.st_size) != row['bytes']:
        return True
    if str(stat.st_mtime_ns) == row['mtime_ns']:
        return False
    return digest_file(path) != row['sha256']


def _change_message(name: str, paths: list[str], work_dir: str | Path) -> str:
    return (
        f'{len(paths)} images of the {name} have changed or gone since {work_dir} was begun: '
        f'{_first_names(paths)}.'
    )


def _first_names(names: list[str]) -> str:
    shown = ', '.join(names[:_MAX_NAMES])
    return f'{shown}, ...' if len(names) > _MAX_NAMES else shown


def pool_change(work_dir: str | Path, pool_contents: dict[str, Any] | list[Any]) -> str:
    """A line that names images by which the pool differs from the one a run was begun with.

    Args:
        work_dir: Work directory of the run.
        pool_contents: Content of a ``pool.json`` of now.

    Returns:
        The line, without indentation; '' if no image can be named.
    """
    try:
        old = _entries(read_json(RunPaths(Path(work_dir)).pool))
    except (OSError, ValueError):
        # It is gone or damaged, which is reported elsewhere.
        return ''
    new = _entries(pool_contents)
    parts = []
    for change, entries in (('no longer there', old - new), ('new', new - old)):
        if entries:
            names = sorted(name for _, name in entries)
            parts.append(f'{len(entries)} {change}: {_first_names(names)}')
    if not parts:
        return ''
    return f'  images of the pool, {"; ".join(parts)}'


def _entries(pool_contents: dict[str, Any] | list[Any]) -> set[tuple[str, str]]:
    """Text of the id and file name of every image."""
    images = pool_contents['images'] if isinstance(pool_contents, dict) else pool_contents
    entries = set()
    for image in images:
        entries.add((str(image['id']), str(image.get('file_name', image['id']))))
    return entries
