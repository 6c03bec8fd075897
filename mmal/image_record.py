"""What the images of a pool were when a run began, so that a change is seen when it goes on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .artifacts import read_csv, read_json, write_csv
from .errors import InputError
from .sealed import digest_file

NAME = 'images.csv'
POOL = 'pool.json'


def describe(path: str) -> list:
    """Size in bytes, time of change in nanoseconds, and SHA-256 of an image file; -1, -1 and '' of one that is gone."""
    try:
        stat = os.stat(path)
        return [stat.st_size, stat.st_mtime_ns, digest_file(path)]
    except OSError:
        return [-1, -1, '']


def write_record(work_dir: str | Path, descriptions: Mapping) -> None:
    """Write ``images.csv``: id, bytes, mtime_ns and sha256 of every image."""
    write_csv(Path(work_dir) / NAME, ['id', 'bytes', 'mtime_ns', 'sha256'],
              [[i, *found] for i, found in descriptions.items()])


def require_unchanged(work_dir: str | Path, paths: Mapping) -> None:
    """Compare the pool's files with the record; a file is read only if its size or time of change differ.

    Args:
        work_dir: Of the run; one without a record (``check_images=False``) is not checked.
        paths: File by text of the id.

    Raises:
        InputError: If the content of an image is another.
    """
    if not (Path(work_dir) / NAME).exists():
        return
    rows = [row for row in read_csv(Path(work_dir) / NAME) if row['id'] in paths and row['sha256']]

    def changed(row: dict) -> bool:
        try:
            stat = os.stat(paths[row['id']])
        except OSError:
            return True
        if (str(stat.st_size), str(stat.st_mtime_ns)) == (row['bytes'], row['mtime_ns']):
            return False
        return str(stat.st_size) != row['bytes'] or digest_file(paths[row['id']]) != row['sha256']

    with ThreadPoolExecutor(os.cpu_count()) as executor:
        found = [row['id'] for row, bad in zip(rows, executor.map(changed, rows), strict=True) if bad]
    if found:
        names = ', '.join(paths[i] for i in found[:3]) + (', ...' if len(found) > 3 else '')
        raise InputError(f'{len(found)} images of the pool have changed or gone since {work_dir} was begun: {names}. '
                         'Scores and labels made from them would not fit. Put the old files back, or start anew in '
                         'another --work-dir.')


def pool_change(work_dir: str | Path, listing: dict | list) -> str:
    """A line that names images by which the pool differs from the one a run was begun with; '' if none can be named.

    Args:
        work_dir: Of the run.
        listing: Contents of a ``pool.json`` of now.
    """
    try:
        before, now = _entries(read_json(Path(work_dir) / POOL)), _entries(listing)
    except (OSError, ValueError):  # gone or damaged; others say so
        return ''
    parts = []
    for what, names in (('no longer there', before - now), ('new', now - before)):
        if names:
            some = ', '.join(sorted(name for _, name in names)[:3]) + (', ...' if len(names) > 3 else '')
            parts.append(f'{len(names)} {what}: {some}')
    return f'  images of the pool, {"; ".join(parts)}' if parts else ''


def _entries(listing: dict | list) -> set[tuple[str, str]]:
    images = listing['images'] if isinstance(listing, dict) else listing
    return {(str(i['id']), str(i.get('file_name', i['id']))) for i in images}
