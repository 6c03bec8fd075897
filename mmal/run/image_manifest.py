"""What the images of a run were when it began, so that a change is seen when it goes on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmal.errors import InputError
from mmal.fileio.checksummed import digest_file
from mmal.fileio.text import read_csv, read_json, write_csv
from mmal.utils.image_files import FileIdentity

NAME = 'images.csv'
OTHERS = 'other_images.csv'
POOL = 'pool.json'


def _columns(identity: FileIdentity | None) -> tuple[int, int, str]:
    """Columns bytes, mtime_ns and sha256 of a file; of one that is gone, -1, -1 and ''."""
    return (-1, -1, '') if identity is None else identity


def write_pool_images(work_dir: str | Path, descriptions: Mapping) -> None:
    """Write ``images.csv``: id, bytes, mtime_ns and sha256 of every image."""
    write_csv(
        Path(work_dir) / NAME,
        ['id', 'bytes', 'mtime_ns', 'sha256'],
        [[i, *_columns(identity)] for i, identity in descriptions.items()],
    )


def require_pool_unchanged(work_dir: str | Path, paths: Mapping) -> None:
    """Compare the pool's files with the record; a file is read only if its size or time of change differ.

    Args:
        work_dir: Of the run; one without a record (``check_images=False``) is not checked.
        paths: File by text of the id.

    Raises:
        InputError: If the content of an image is another.
    """
    rows = _rows(work_dir, NAME)
    if found := _changed((paths[row['id']], row) for row in rows if row['id'] in paths):
        raise InputError(
            f'{_some("pool", found, work_dir)} Scores and labels made from them would not fit. Put the '
            'old files back, or start anew in another --work-dir.'
        )


def write_others(work_dir: str | Path, sets: Mapping[str, Mapping]) -> None:
    """Write ``other_images.csv``: set, file, bytes, mtime_ns and sha256 of the images beside the pool.

    Args:
        work_dir: Of the run.
        sets: What :func:`~mmal.utils.image_files.file_identity` says by file, by what a set is called.
    """
    write_csv(
        Path(work_dir) / OTHERS,
        ['set', 'file', 'bytes', 'mtime_ns', 'sha256'],
        [
            [name, file, *_columns(described[path])]
            for name, described in sets.items()
            for file, path in _by_place(described).items()
        ],
    )


def require_others_unchanged(work_dir: str | Path, sets: Mapping[str, Iterable[str]]) -> None:
    """The same as :func:`require_unchanged` for the images beside the pool; those that are new are not compared.

    Args:
        work_dir: Of the run.
        sets: Files by what a set is called.

    Raises:
        InputError: If the content of an image is another.
    """
    rows = _rows(work_dir, OTHERS)
    for name, paths in sets.items():
        now = _by_place(paths)
        if found := _changed(
            (now[r['file']], r) for r in rows if r['set'] == name and r['file'] in now
        ):
            raise InputError(
                f'{_some(name, found, work_dir)} Rounds could not be compared. Put the old files back, or '
                'start anew in another --work-dir.'
            )


def _by_place(paths: Iterable[str]) -> dict[str, str]:
    """Files by where they lie in the folder of them all, which may be moved."""
    paths = list(paths)
    root = os.path.commonpath([os.path.dirname(os.path.abspath(p)) for p in paths]) if paths else ''
    return {os.path.relpath(p, root): p for p in paths}


def _rows(work_dir: str | Path, name: str) -> list[dict]:
    path = Path(work_dir) / name
    return [row for row in read_csv(path) if row['sha256']] if path.exists() else []


def _changed(pairs: Iterable[tuple[str, dict]]) -> list[str]:
    """Files of which the content is not as recorded."""

    def changed(pair: tuple[str, dict]) -> bool:
        path, row = pair
        try:
            stat = os.stat(path)
        except OSError:
            return True
        if (str(stat.st_size), str(stat.st_mtime_ns)) == (row['bytes'], row['mtime_ns']):
            return False
        return str(stat.st_size) != row['bytes'] or digest_file(path) != row['sha256']

    pairs = list(pairs)
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        return [
            path for (path, _), bad in zip(pairs, executor.map(changed, pairs), strict=True) if bad
        ]


def _some(name: str, paths: list[str], work_dir: str | Path) -> str:
    names = ', '.join(paths[:3]) + (', ...' if len(paths) > 3 else '')
    return f'{len(paths)} images of the {name} have changed or gone since {work_dir} was begun: {names}.'


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
            some = ', '.join(sorted(name for _, name in names)[:3]) + (
                ', ...' if len(names) > 3 else ''
            )
            parts.append(f'{len(names)} {what}: {some}')
    return f'  images of the pool, {"; ".join(parts)}' if parts else ''


def _entries(listing: dict | list) -> set[tuple[str, str]]:
    images = listing['images'] if isinstance(listing, dict) else listing
    return {(str(i['id']), str(i.get('file_name', i['id']))) for i in images}
