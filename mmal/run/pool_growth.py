"""A pool that has new images when a run goes on, taken in so that a kill loses nothing.

The files that name the pool are written into a folder of their own first. Then ``run.json`` is
written with their checksums; from there on the pool has grown. At last they are moved into place. A
kill in between leaves either the old pool, or a folder whose files ``run.json`` knows, which
:func:`finish_growth` moves.
"""

from __future__ import annotations

import shutil
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmal.fileio.atomic import commit_file
from mmal.fileio.checksummed import CorruptStateError, digest_file
from mmal.fileio.text import read_csv, write_csv, write_json
from mmal.utils.image_files import FileIdentity

from .image_manifest import IMAGE_COLUMNS, identity_cells
from .layout import RunPaths
from .manifest import Manifest, read_manifest, save_updated_manifest


def grow_pool(
    work_dir: str | Path,
    manifest: Manifest,
    pool_contents: dict[str, Any] | list[Any],
    ids: Sequence[Hashable],
    identities: Mapping[Hashable, FileIdentity | None],
) -> None:
    """Take new images into the pool of a run.

    Args:
        work_dir: Work directory of the run.
        manifest: Manifest of the run with the grown pool, to be written.
        pool_contents: Content of the new ``pool.json``.
        ids: Ids of all images, in the pool's order.
        identities: Size, time and checksum of the new images by id; empty if they were not checked.
    """
    paths = RunPaths(Path(work_dir))
    folder = paths.growth
    if folder.exists():
        shutil.rmtree(folder)
    write_json(folder / paths.pool.name, pool_contents, indent=None)
    if paths.images.exists():
        rows = _image_rows(paths.images, ids, identities)
        write_csv(folder / paths.images.name, IMAGE_COLUMNS, rows)
    files = dict(manifest.get('files', {}))
    for file in sorted(folder.iterdir()):
        files[file.name] = digest_file(file)
    manifest['files'] = files
    save_updated_manifest(work_dir, manifest)
    finish_growth(work_dir)


def _image_rows(
    file: Path, ids: Sequence[Hashable], identities: Mapping[Hashable, FileIdentity | None]
) -> list[list[Any]]:
    """Rows of ``images.csv`` in the pool's order: those that are there, and those of new images."""
    old_rows = {row['id']: row for row in read_csv(file)}
    rows: list[list[Any]] = []
    for image_id in ids:
        old_row = old_rows.get(str(image_id))
        if old_row is not None:
            rows.append([old_row[column] for column in IMAGE_COLUMNS])
        elif image_id in identities:
            rows.append([image_id, *identity_cells(identities[image_id])])
    return rows


def finish_growth(work_dir: str | Path) -> None:
    """Move the files of a grown pool into place, or drop them if ``run.json`` does not know them.

    Args:
        work_dir: Work directory of the run.
    """
    paths = RunPaths(Path(work_dir))
    folder = paths.growth
    if not folder.exists():
        return
    try:
        recorded = read_manifest(work_dir).get('files', {})
    except CorruptStateError:
        # It is reported elsewhere, and may be put back.
        return
    staged = [file for file in (paths.pool, paths.images) if (folder / file.name).exists()]
    if all(recorded.get(file.name) == digest_file(folder / file.name) for file in staged):
        for file in staged:
            commit_file(folder / file.name, file)
    shutil.rmtree(folder)
