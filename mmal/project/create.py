"""Make a project folder, whole or not at all."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from mmal.adapters import image_loaders
from mmal.annotation.batch import Batch, BatchImage
from mmal.annotation.export import write_batch
from mmal.annotation.label_store import ANNOTATIONS
from mmal.errors import InputError
from mmal.fileio.atomic import make_partial_folder, write_bytes
from mmal.fileio.text import write_csv, write_json

from .base_config import BaseConfig
from .config_template import config_text
from .contents import ProjectContents
from .existing_labels_files import write_labels
from .image_source import Source
from .labeled_images import ExistingLabels
from .scan import Scan, ScannedImage, scan
from .settings import Numbers, Settings
from .split import Split, split, split_off
from .summary import project_summary

MAX_EVALUATION = 500
"""Greatest number of images for evaluation, where the user leaves it open."""
MIN_LABELED = 2
"""Least number of labeled images to begin with: one to train on, and one to hold out."""
MIN_LABELED_TO_SHARE = 25
"""Least number of different labeled images of which a fifth is taken for evaluation."""
MAX_INITIAL = 100
"""Greatest number of images to label first, where the user leaves it open."""
LABELED = 'labeled.json'
"""Name of the file with the labels of the pool that existed before the project."""
DROPPED = 'dropped'
"""What the tables give as the part of an image that is in none."""


def create(
    source: Source,
    base: BaseConfig,
    settings: Settings,
    logger: logging.Logger,
    labels: ExistingLabels | None = None,
) -> str:
    """Open all images and write the project.

    Args:
        source: Images that the user means.
        base: Config that the project inherits.
        settings: What the user asks.
        logger: Receives lines of progress where there is no terminal.
        labels: Labels of some of the images that exist already. Defaults to None: there are none.

    Returns:
        What was found, what was made of it, and what comes next, in words.

    Raises:
        InputError: If the folder is in use, no image can be used, or there are too few of them.
    """
    out = require_free(settings.out)
    scanned = scan(
        source, require_utf8=not base.boxes, logger=logger, loaders=image_loaders(base.cfg)
    )
    _require_images(scanned, source)
    used = scanned.without_near_duplicates() if settings.drop_near_duplicates else scanned
    parts = _choose_parts(used, settings, labels)
    n_labeled = 0
    if labels is not None:
        n_labeled = sum(image.name in labels.train.images for image in parts.pool)
        _require_labeled(labels, n_labeled)
    numbers = loop_numbers(settings, len(parts.pool), base.pretrained, n_labeled)
    contents = ProjectContents(source, base, settings, scanned, parts, numbers, labels)
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = make_partial_folder(out)
    try:
        _write(folder, contents)
        os.rename(folder, out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return project_summary(contents)


def _choose_parts(used: Scan, settings: Settings, labels: ExistingLabels | None) -> Split:
    """Which images are for evaluation: the user's own set, a fifth of what is labeled, or new ones
    that people are to label.
    """
    if labels is not None and labels.val is not None:
        return split_off(used, labels.val.images, kept=labels.train.images)
    n_evaluation = settings.evaluation
    if labels is not None:
        names = [image.name for image in used.images if image.name in labels.train.images]
        different = {used.representative(name) for name in names}
        if n_evaluation is None and len(different) >= MIN_LABELED_TO_SHARE:
            n_share = min(MAX_EVALUATION, round(len(different) / 5))
            return split(used, n_share, settings.seed, candidates=labels.train.images)
    if n_evaluation is None:
        n_evaluation = min(MAX_EVALUATION, max(1, round(len(used.images) / 10)))
    not_candidates = {} if labels is None else labels.train.images
    return split(used, n_evaluation, settings.seed, not_candidates=not_candidates)


def require_free(out: str) -> Path:
    """Check that a project can be made at a path.

    Args:
        out: Path of the folder to make.

    Returns:
        Its absolute path. Nothing is there, or an empty folder.

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
            f'--out {out}: a quote, brace or backslash in the path of a config would be read as '
            'Python. Choose another folder.'
        )
    return path


def _require_images(scanned: Scan, source: Source) -> None:
    if scanned.images:
        return
    name, reason = next(iter(scanned.unusable.items()))
    raise InputError(
        f'None of {len(source.names)} images can be used, e.g. {os.path.join(source.root, name)}: '
        f'{reason}.'
    )


def _require_labeled(labels: ExistingLabels, n_labeled: int) -> None:
    if n_labeled >= MIN_LABELED:
        return
    raise InputError(
        f'{labels.train.path}: {n_labeled} of its {len(labels.train.images)} labeled images can be '
        f'learned from, expected at least {MIN_LABELED}: one to train on, and one to hold out. '
        'Others may be unusable, set aside, or for evaluation. Label more, or leave --labeled out.'
    )


def loop_numbers(
    settings: Settings, pool_size: int, pretrained: bool, n_labeled: int = 0
) -> Numbers:
    """Settings of the loop; what the user leaves open follows from the size of the pool.

    Args:
        settings: What the user asks.
        pool_size: Number of images in the pool.
        pretrained: Whether the backbone begins with trained weights.
        n_labeled: Number of them that are labeled already, and are the initial set. Defaults to 0:
            people label the initial set.

    Returns:
        The settings.

    Raises:
        InputError: If the pool is smaller than the first images to label, or all of it is labeled.
    """
    if n_labeled:
        return _numbers_with_labels(settings, pool_size, n_labeled)
    initial = settings.initial or min(pool_size, MAX_INITIAL, max(10, pool_size // 10))
    query = settings.query or max(1, initial // 2)
    if initial > pool_size or initial < 2:
        raise InputError(
            f'{pool_size} images are left for the pool, fewer than the {max(initial, 2)} to be '
            'labeled first. Set --initial or --evaluation lower, or give more images.'
        )
    return Numbers(
        initial=initial,
        query=min(query, pool_size),
        rounds=settings.rounds,
        cold_start=settings.cold_start or ('herding' if pretrained else 'random'),
        seed=settings.seed,
    )


def _numbers_with_labels(settings: Settings, pool_size: int, n_labeled: int) -> Numbers:
    n_new = pool_size - n_labeled
    if n_new < 1:
        raise InputError(
            f'All {n_labeled} images of the pool are labeled already, so nothing is left to ask '
            'for. Give the folder that has new images, too.'
        )
    usual = min(n_new, MAX_INITIAL, max(10, n_new // 10))
    query = settings.query or max(1, usual // 2)
    return Numbers(
        initial=n_labeled,
        query=min(query, n_new),
        rounds=settings.rounds,
        cold_start='random',
        seed=settings.seed,
    )


def _write(folder: Path, contents: ProjectContents) -> None:
    """Write all files of the project into a folder."""
    source = contents.source
    parts = contents.parts
    base = contents.base
    classes = contents.settings.classes
    ids = _image_ids(contents)
    categories = []
    if base.boxes:
        categories = [dict(id=n, name=name) for n, name in enumerate(classes, 1)]
        images = []
        for image in parts.pool:
            images.append(
                dict(
                    id=ids[image.name],
                    file_name=image.name,
                    width=image.width,
                    height=image.height,
                )
            )
        content = dict(images=images, annotations=[], categories=categories)
        write_json(folder / 'pool.json', content, indent=None)
    else:
        _write_list(folder / 'pool.txt', parts.pool)
        _write_list(folder / 'evaluation.txt', parts.evaluation)
    if contents.pool_labeled:
        write_labels(folder / LABELED, contents.pool_labeled, contents.labeled, ids, classes, base)
    _write_evaluation(folder / 'evaluation', contents, ids, categories)
    _write_tables(folder, contents.scanned, parts)
    text = config_text(
        base,
        source.root,
        classes,
        len(parts.pool),
        contents.numbers,
        LABELED if contents.pool_labeled else None,
    )
    write_bytes(folder / 'config.py', text.encode())


def _write_evaluation(
    folder: Path,
    contents: ProjectContents,
    ids: Mapping[str, Hashable],
    categories: list[dict[str, Any]],
) -> None:
    """Write the labels of the evaluation set, or the batch that people are to label."""
    source = contents.source
    parts = contents.parts
    base = contents.base
    classes = contents.settings.classes
    if contents.evaluation_is_labeled:
        write_labels(folder / ANNOTATIONS, parts.evaluation, contents.labeled, ids, classes, base)
        return
    asked = []
    for rank, image in enumerate(parts.evaluation):
        asked.append(BatchImage(ids[image.name], image.name, rank, image.width, image.height))
    batch = Batch('evaluation', classes, categories, source.root, asked, base.multi_label)
    write_batch(batch, folder)


def _image_ids(contents: ProjectContents) -> dict[str, Hashable]:
    """Pool ids by name: those of the source, else numbers from 1; names where classes are asked."""
    images = contents.scanned.images
    if not contents.base.boxes:
        return {image.name: image.name for image in images}
    if contents.source.ids:
        return dict(contents.source.ids)
    return {image.name: n for n, image in enumerate(images, 1)}


def _write_list(path: Path, images: list[ScannedImage]) -> None:
    """Write a text file with one name per line."""
    lines = [f'{image.name}\n' for image in images]
    write_bytes(path, ''.join(lines).encode())


def _write_tables(folder: Path, scanned: Scan, parts: Split) -> None:
    """Write what was found of the images: images.csv, duplicates.csv and unusable.csv."""
    part_of: dict[str, str] = {}
    for part, images in (
        ('pool', parts.pool),
        ('evaluation', parts.evaluation),
        ('aside', parts.excluded),
    ):
        part_of.update((image.name, part) for image in images)
    rows = []
    for image in scanned.images:
        first_alike = scanned.near_duplicates.get(image.name, '')
        part = part_of.get(image.name, DROPPED)
        size = (image.width, image.height)
        rows.append([image.name, *size, image.bytes, image.sha256, first_alike, part])
    columns = ['file_name', 'width', 'height', 'bytes', 'sha256', 'alike', 'part']
    write_csv(folder / 'images.csv', columns, rows)

    rows = []
    for name, first in scanned.exact_duplicates.items():
        rows.append([name, 'same', first, part_of.get(name, DROPPED)])
    for name, first in scanned.near_duplicates.items():
        rows.append([name, 'alike', first, part_of.get(name, DROPPED)])
    write_csv(folder / 'duplicates.csv', ['file_name', 'kind', 'of', 'part'], rows)

    unusable = [[name, reason] for name, reason in scanned.unusable.items()]
    write_csv(folder / 'unusable.csv', ['file_name', 'reason'], unusable)
