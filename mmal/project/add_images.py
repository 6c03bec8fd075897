"""Add new images to the pool of a project that exists."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import Config

from mmal.adapters import image_loaders
from mmal.errors import InputError
from mmal.fileio.atomic import write_bytes
from mmal.fileio.text import read_csv, read_json, write_csv, write_json

from .image_source import Source, fresh_ids
from .scan import Scan, ScannedImage, scan

ASIDE = 'aside'
"""Part of an image that looks like one for evaluation."""
EVALUATION = 'evaluation'
"""Part of an image for evaluation."""
POOL = 'pool'
"""Part of an image that active learning chooses from."""


@dataclass(frozen=True)
class Project:
    """A project, as far as its pool is concerned.

    Attributes:
        folder: Its folder.
        root: Folder that names are relative to.
        rows: Rows of its ``images.csv``.
        pool: Names of the images of its pool.
    """

    folder: Path
    root: str
    rows: list[dict[str, str]]
    pool: list[str]

    @property
    def has_boxes(self) -> bool:
        """Whether its pool is a COCO file, rather than a list of names."""
        return (self.folder / 'pool.json').exists()

    def names_of(self, part: str) -> list[str]:
        """Names of the images of a part.

        Args:
            part: What the table calls it.
        """
        return [row['file_name'] for row in self.rows if row['part'] == part]

    @property
    def known(self) -> set[str]:
        """Names of images that need not be looked at again.

        What the table has for the pool and the pool lacks is of an addition that was ended too
        early.
        """
        names = set(self.pool)
        for row in self.rows:
            if row['part'] != POOL:
                names.add(row['file_name'])
        return names


@dataclass
class Addition:
    """What becomes of the new images.

    Attributes:
        added: Images that come into the pool.
        aside: Images that look like one for evaluation.
        copies: Name of the image that is there, by the name of a new one with the same content.
    """

    added: list[ScannedImage] = field(default_factory=list)
    aside: list[ScannedImage] = field(default_factory=list)
    copies: dict[str, str] = field(default_factory=dict)


def read_project(folder: str) -> Project:
    """Read a project of ``mmal init``.

    Args:
        folder: Its folder.

    Raises:
        InputError: If it is none.
    """
    path = Path(os.path.realpath(folder))
    files = [path / name for name in ('config.py', 'images.csv')]
    pools = [path / name for name in ('pool.json', 'pool.txt')]
    if not all(map(Path.exists, files)) or not any(map(Path.exists, pools)):
        raise InputError(
            f'--add-to {folder}: expected a project that mmal init made, with config.py, '
            'images.csv and pool.json or pool.txt.'
        )
    root = Config.fromfile(files[0]).get('images')
    if not isinstance(root, str):
        raise InputError(f'{files[0]}: expected images = the folder of the images, found {root!r}.')
    return Project(path, os.path.normpath(root), read_csv(files[1]), _pool_names(path))


def _pool_names(folder: Path) -> list[str]:
    if (folder / 'pool.json').exists():
        return [image['file_name'] for image in read_json(folder / 'pool.json')['images']]
    return (folder / 'pool.txt').read_text(encoding='utf-8').splitlines()


def add_images(project: Project, source: Source, logger: logging.Logger) -> str:
    """Add those of a source's images that a project does not have yet to its pool.

    Copies of images that are there, and images that look like one for evaluation, are left out. The
    table ``images.csv`` is written before the pool, so that a call that was ended in between can be
    made again.

    Args:
        project: The project.
        source: Images that the user means.
        logger: Receives lines of progress where there is no terminal.

    Returns:
        What was found and added, and what comes next, in words.
    """
    known = project.known
    names = []
    for name in source.names:
        own_name = _name_in_project(os.path.join(source.root, name), project.root)
        if own_name not in known:
            names.append(own_name)
    if not names:
        return f'All {len(source.names)} images are in {project.folder} already. Nothing was added.'
    evaluation = project.names_of(EVALUATION)
    # Those for evaluation come first, so that new ones look like them and not the other way round.
    looked_at = Source(project.root, [*evaluation, *names])
    scanned = scan(
        looked_at,
        require_utf8=not project.has_boxes,
        logger=logger,
        loaders=image_loaders(Config.fromfile(project.folder / 'config.py')),
    )
    addition = _sort(project, scanned, set(names), set(evaluation))
    _write_table(project, scanned, addition)
    if addition.added:
        _write_pool(project, addition.added)
    unusable = {name: why for name, why in scanned.unusable.items() if name in set(names)}
    return _summary(project, names, addition, unusable)


def _name_in_project(path: str, root: str) -> str:
    """Name below the project's root, or the path itself where it is not below."""
    if Path(path).is_relative_to(root):
        return os.path.relpath(path, root)
    return path


def _sort(project: Project, scanned: Scan, new: set[str], evaluation: set[str]) -> Addition:
    addition = Addition()
    in_pool = set(project.pool)
    name_of_content = {}
    for row in project.rows:
        if row['part'] != POOL or row['file_name'] in in_pool:
            name_of_content[row['sha256']] = row['file_name']
    for name, first in scanned.exact_duplicates.items():
        if name in new:
            addition.copies[name] = first
    for image in scanned.images:
        if image.name not in new:
            continue
        if image.sha256 in name_of_content:
            addition.copies[image.name] = name_of_content[image.sha256]
        elif scanned.representative(image.name) in evaluation:
            addition.aside.append(image)
        else:
            addition.added.append(image)
    return addition


def _write_table(project: Project, scanned: Scan, addition: Addition) -> None:
    columns = list(project.rows[0])
    new_names = {image.name for image in [*addition.added, *addition.aside]}
    rows: list[list[object]] = []
    for row in project.rows:
        if row['file_name'] not in new_names:
            rows.append([row[column] for column in columns])
    for part, images in ((POOL, addition.added), (ASIDE, addition.aside)):
        for image in images:
            alike = scanned.near_duplicates.get(image.name, '')
            size = (image.width, image.height)
            rows.append([image.name, *size, image.bytes, image.sha256, alike, part])
    write_csv(project.folder / 'images.csv', columns, rows)


def _write_pool(project: Project, added: Sequence[ScannedImage]) -> None:
    """Add images at the end of the pool: ids of those that are there stay."""
    if not project.has_boxes:
        lines = [f'{name}\n' for name in [*project.pool, *(image.name for image in added)]]
        write_bytes(project.folder / 'pool.txt', ''.join(lines).encode())
        return
    path = project.folder / 'pool.json'
    content = read_json(path)
    numbers = [image['id'] for image in content['images'] if isinstance(image['id'], int)]
    # Images for evaluation have numbers, too.
    first = 1 + max([*numbers, len(project.known)])
    fresh = fresh_ids([image['id'] for image in content['images']], first)
    for image in added:
        entry = dict(id=next(fresh), file_name=image.name, width=image.width, height=image.height)
        content['images'].append(entry)
    write_json(path, content, indent=None)


def _summary(
    project: Project, names: Sequence[str], addition: Addition, unusable: Mapping[str, str]
) -> str:
    lines = [
        f'{len(names)} new images, {len(addition.added)} of them added to the pool, which has '
        f'{len(project.pool) + len(addition.added)} now.'
    ]
    if addition.copies:
        name, other = next(iter(addition.copies.items()))
        lines.append(f'{len(addition.copies)} copies left out, e.g. {name} is {other}.')
    if addition.aside:
        lines.append(f'{len(addition.aside)} that look like images for evaluation set aside.')
    if unusable:
        name, why = next(iter(unusable.items()))
        lines.append(f'{len(unusable)} cannot be used, e.g. {name}: {why}.')
    if addition.added:
        lines.append(
            f'Next: python tools/al_train.py {project.folder}/config.py --resume --pool-grew      '
            'takes them in'
        )
    return '\n'.join(lines)
