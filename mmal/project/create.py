"""Make a project folder, whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mmal.annotation.batch import Batch, BatchImage
from mmal.errors import InputError
from mmal.fileio.atomic import make_partial_folder, write_bytes
from mmal.fileio.text import write_csv, write_json

from .base_config import BaseConfig
from .config_template import config_text
from .image_source import Source
from .scan import Scan, scan
from .settings import Numbers, Settings
from .split import Split, split
from .summary import project_summary

MOST_FOR_EVALUATION = 500
MOST_AT_FIRST = 100


def create(source: Source, base: BaseConfig, settings: Settings, logger) -> str:
    """Look at all images and write the project.

    Returns:
        What was found, in words.

    Raises:
        InputError: If the folder is in use, or there are too few images.
    """
    out = require_free(settings.out)
    found = scan(source, utf8=not base.boxes, logger=logger)
    if not found.images:
        name, reason = next(iter(found.unusable.items()))
        raise InputError(
            f'None of {len(source.names)} images can be used, e.g. {os.path.join(source.root, name)}: '
            f'{reason}.'
        )
    used = found.without(set(found.near_duplicates)) if settings.drop_near_duplicates else found
    wanted = settings.evaluation
    parts = split(
        used,
        min(MOST_FOR_EVALUATION, max(1, round(len(used.images) / 10)))
        if wanted is None
        else wanted,
        settings.seed,
    )
    numbers = loop_numbers(settings, len(parts.pool))
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = make_partial_folder(out)
    try:
        _write(folder, source, base, settings.classes, found, parts, numbers)
        os.rename(folder, out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return project_summary(source, base, settings, found, parts, numbers)


def require_free(out: str) -> Path:
    """The absolute path of a folder that is not there yet, or empty.

    Raises:
        InputError: If something is there, or the path cannot stand in a config.
    """
    path = Path(os.path.realpath(out))
    if path.exists() and not path.is_dir():
        raise InputError(f'--out {out} is a file. Name a folder that does not exist yet.')
    if path.is_dir() and any(path.iterdir()):
        raise InputError(
            f'--out {out} is not empty. Name a folder that does not exist yet, or remove it.'
        )
    if set(str(path)) & set('\'"\\\n{}'):
        raise InputError(
            f'--out {out}: a quote, brace or backslash in the path of a config would be read as Python. '
            'Choose another folder.'
        )
    return path


def loop_numbers(settings: Settings, pool: int) -> Numbers:
    """Numbers of the loop, where the user leaves them open by the size of the pool.

    Raises:
        InputError: If the pool is too small.
    """
    initial = settings.initial or min(pool, MOST_AT_FIRST, max(10, pool // 10))
    query = settings.query or max(1, initial // 2)
    if initial > pool or initial < 2:
        raise InputError(
            f'{pool} images are left for the pool, fewer than the {max(initial, 2)} to be labeled first. '
            'Set --initial or --evaluation lower, or give more images.'
        )
    return Numbers(initial, min(query, pool), settings.rounds, settings.cold_start, settings.seed)


def _write(
    folder: Path,
    source: Source,
    base: BaseConfig,
    classes: list[str],
    found: Scan,
    parts: Split,
    numbers: Numbers,
) -> None:
    ids = {i.name: n for n, i in enumerate(found.images, 1)} if not source.ids else source.ids
    categories = [dict(id=n, name=c) for n, c in enumerate(classes, 1)] if base.boxes else []
    if base.boxes:
        images = [
            dict(id=ids[i.name], file_name=i.name, width=i.width, height=i.height)
            for i in parts.pool
        ]
        write_json(
            folder / 'pool.json',
            dict(images=images, annotations=[], categories=categories),
            indent=None,
        )
    else:
        for name, part in (('pool', parts.pool), ('evaluation', parts.evaluation)):
            write_bytes(folder / f'{name}.txt', ''.join(f'{i.name}\n' for i in part).encode())
    asked = [
        BatchImage(ids[i.name] if base.boxes else i.name, i.name, rank, i.width, i.height)
        for rank, i in enumerate(parts.evaluation)
    ]
    Batch('evaluation', classes, categories, source.root, asked, base.several).write(
        folder / 'evaluation'
    )
    _write_tables(folder, found, parts)
    write_bytes(
        folder / 'config.py',
        config_text(base, source.root, classes, len(parts.pool), numbers).encode(),
    )


def _write_tables(folder: Path, found: Scan, parts: Split) -> None:
    sets = dict(pool=parts.pool, evaluation=parts.evaluation, aside=parts.excluded)
    part = {image.name: name for name, images in sets.items() for image in images}
    write_csv(
        folder / 'images.csv',
        ['file_name', 'width', 'height', 'bytes', 'sha256', 'alike', 'part'],
        [
            [
                i.name,
                i.width,
                i.height,
                i.bytes,
                i.sha256,
                found.near_duplicates.get(i.name, ''),
                part.get(i.name, 'dropped'),
            ]
            for i in found.images
        ],
    )
    rows = [
        [name, kind, first, part.get(name, 'dropped')]
        for kind, pairs in (('same', found.exact_duplicates), ('alike', found.near_duplicates))
        for name, first in pairs.items()
    ]
    write_csv(folder / 'duplicates.csv', ['file_name', 'kind', 'of', 'part'], rows)
    write_csv(
        folder / 'unusable.csv',
        ['file_name', 'reason'],
        [list(row) for row in found.unusable.items()],
    )
