"""COCO files of a config, with what is told by the images themselves: their sizes and folders."""

from __future__ import annotations

import os.path as osp
from dataclasses import replace
from typing import Any

from mmengine import fileio

from mmal.annotation.coco_file import MAX_EXAMPLES, CocoFile, parse_coco
from mmal.errors import InputError, MissingFileError
from mmal.utils.image_files import read_sizes


def read_coco(path: str, image_folder: str, backend_args: dict[str, Any] | None) -> CocoFile:
    """Read a COCO file as :func:`~mmal.annotation.coco_file.parse_coco` does, with sizes of images.

    Backslashes between folders are read as slashes where the images are there so.

    Args:
        path: Path of the file.
        image_folder: Folder that the names of images are relative to. Sizes that the file does not
            know are those of the images there, as OpenCV loads them.
        backend_args: Arguments of mmengine's file backend; None: by the path.

    Raises:
        InputError: If the file is missing or cannot be read, or a size is not to be had.
    """
    try:
        content = fileio.get(path, backend_args=backend_args)
    except FileNotFoundError:
        raise MissingFileError(
            f'Annotation file not found: {path}. Check data_root and ann_file of the config.'
        ) from None
    try:
        file = _with_slashes(parse_coco(content), image_folder)
        return _with_sizes(file, image_folder)
    except InputError as e:
        raise InputError(f'{path} {e}') from None


def _with_slashes(file: CocoFile, image_folder: str) -> CocoFile:
    """The file with slashes between folders, where Windows wrote backslashes."""
    images = []
    n_read = 0
    for image in file.images:
        name = image['file_name']
        slashed = name.replace('\\', '/')
        if slashed != name and _is_there_alone(image_folder, slashed, name):
            image = dict(image, file_name=slashed)
            n_read += 1
        images.append(image)
    if not n_read:
        return file
    note = f'{n_read} of its file names have backslashes between folders: they are read as slashes'
    return replace(file, images=images, notes=[*file.notes, note], changed=True)


def _is_there_alone(folder: str, name: str, other: str) -> bool:
    """Whether there is a file of one name in a folder, and none of the other."""
    return osp.isfile(osp.join(folder, name)) and not osp.exists(osp.join(folder, other))


def _with_sizes(file: CocoFile, image_folder: str) -> CocoFile:
    """The file with the width and height of every image."""
    images = []
    unknown = []
    n_read = 0
    for image in file.images:
        if image['width'] is not None:
            images.append(image)
            continue
        sizes = read_sizes(osp.join(image_folder, image['file_name']))
        if sizes is None:
            unknown.append(image['file_name'])
            continue
        width, height = sizes.loaded
        images.append(dict(image, width=width, height=height))
        n_read += 1
    if unknown:
        raise InputError(
            f'has no width and height of {len(unknown)} images, and they cannot be read in '
            f'{image_folder}, e.g. {", ".join(unknown[:MAX_EXAMPLES])}. Write them into the file, '
            'or check the folder of the images.'
        )
    if not n_read:
        return file
    note = f'it has no width and height of {n_read} images: they are read from the images'
    return replace(file, images=images, notes=[*file.notes, note])
