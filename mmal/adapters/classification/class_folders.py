"""Whether the folders of a dataset with a folder of images per class are its classes."""

from __future__ import annotations

import os
import os.path as osp
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmal.errors import InputError, MissingFileError

PARTS = ('train', 'training', 'val', 'valid', 'validation', 'test', 'testing')
"""Usual names of folders that are parts of a data set, not classes."""

OTHER_IMAGE_SUFFIXES = ('.webp', '.tiff', '.jfif', '.jpe', '.jp2')
"""Images that mmpretrain's CustomDataset passes over unless it is told their suffix."""


def check_class_folders(dataset: Any, pool_classes: Sequence[str] = ()) -> None:
    """Refuse folders that would be numbered as other classes than they are.

    mmpretrain takes every folder for a class, and numbers them by name. Folders that are not on a
    local file system are not looked at.

    Args:
        dataset: An mmpretrain CustomDataset without ``ann_file``, built with ``lazy_init``.
        pool_classes: Class names of the pool. Defaults to none: it is the pool.

    Raises:
        InputError: If the folder or folders in it are missing, hidden, parts of a data set, or not
            the classes; or if images are passed over because of their suffix.
    """
    root = dataset.img_prefix
    if '://' in root:
        return
    if not osp.isdir(root):
        raise MissingFileError(
            f'{root}: there is no such folder. Expected a folder of images for each class in it; '
            'check data_root and data_prefix of the dataset.'
        )
    folders = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    hidden = [name for name in folders if name.startswith(('.', '__'))]
    if hidden:
        raise InputError(
            f'{root}: mmpretrain would take {_shown(hidden)} for a class, and number the others '
            f'anew. Remove it: rm -r {osp.join(root, hidden[0])}'
        )
    if not folders:
        raise InputError(
            f'{root}: expected a folder of images for each class, found no folder. Sort the images '
            'into folders, or name a file of lines "path index" in ann_file and the classes in '
            'metainfo.'
        )
    if all(name.lower() in PARTS for name in folders):
        raise InputError(
            f'{root}: its folders are {_shown(folders)}, parts of a data set and not classes. Name '
            f"one of them for each dataset, as data_prefix='{folders[0]}'."
        )
    given = dataset.metainfo.get('classes')
    _check_names(root, folders, given, pool_classes)
    _check_suffixes(root, dataset)


def _shown(names: Sequence[str]) -> str:
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    return ', '.join(map(repr, names[:3])) + more


def _check_names(
    root: str, folders: Sequence[str], given: Sequence[str] | None, pool_classes: Sequence[str]
) -> None:
    classes = list(given or pool_classes or folders)
    if classes == list(folders):
        return
    lacking = sorted(set(classes) - set(folders))
    further = sorted(set(folders) - set(classes))
    source = 'metainfo.classes has' if given else 'the pool has'
    if not lacking and not further:
        raise InputError(
            f'{root}: {source} the classes in another order ({_shown(classes)}) than mmpretrain '
            'numbers the folders in, by name, so that one would be taken for another. Write '
            f'metainfo=dict(classes={tuple(folders)!r}) in every dataset.'
        )
    if given and len(lacking) == len(further) == len(folders):
        raise InputError(
            f'{root}: no folder is called like a class ({source} {_shown(classes)}, the folders '
            f'are {_shown(folders)}). mmpretrain numbers folders by name: call them like the '
            'classes, or leave metainfo.classes out.'
        )
    cures = []
    if lacking:
        places = ' '.join(osp.join(root, name) for name in lacking[:3])
        cures.append(
            f'there is no folder for {_shown(lacking)}, which {source}; an empty one keeps the '
            f'numbers: mkdir {places}'
        )
    if further:
        cures.append(
            f'{_shown(further)} would be a class of its own; move it elsewhere, or make it a class '
            'of every dataset'
        )
    raise InputError(
        f'{root}: mmpretrain numbers the folders of each dataset by name, so that one class would '
        f'be taken for another: {"; ".join(cures)}.'
    )


def _check_suffixes(root: str, dataset: Any) -> None:
    """Refuse images that would be passed over, and folders without any image."""
    counts: Counter[str] = Counter()
    for _, _, files in os.walk(root):
        counts.update(osp.splitext(name)[1].lower() for name in files)
    passed_over = [s for s in OTHER_IMAGE_SUFFIXES if counts[s] and s not in dataset.extensions]
    if passed_over:
        n_images = sum(counts[suffix] for suffix in passed_over)
        suffixes = tuple(sorted({*dataset.extensions, *passed_over}))
        raise InputError(
            f'{root}: {n_images} images with the suffix {", ".join(passed_over)} would be passed '
            f'over. Write extensions={suffixes!r} in the dataset.'
        )
    if not any(counts[suffix] for suffix in dataset.extensions):
        raise InputError(
            f'{root}: no image in its folders, of {", ".join(sorted(dataset.extensions))}.'
        )
