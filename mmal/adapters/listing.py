"""Images that a user names beside a config: labeled ones and new ones, as one pool."""

from __future__ import annotations

import copy
import os.path as osp
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from mmengine.config import Config

from mmal.annotation.match_rules import MatchRule
from mmal.annotation.named_files import find_named_files
from mmal.errors import InputError

from .base import ImageId
from .dataset_config import leaves, missing_files

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
"""Where a config may have a dataset, the one to learn from first."""


@dataclass(frozen=True)
class NewImage:
    """An image without labels.

    Attributes:
        id: Id of the image.
        name: Path of its file below the folder of all new images.
        width: Width in pixels, as it is loaded.
        height: Height in pixels, as it is loaded.
    """

    id: ImageId
    name: str
    width: int
    height: int


@dataclass(frozen=True)
class LabeledImage:
    """An image with its labels.

    Attributes:
        id: Id of the image in the set that it comes from.
        path: Absolute path of its file.
        labels: Boxes, as COCO has them, with the name of the class as ``category``; or one entry
            with the ``label`` of the whole image.
        width: Width in pixels. Defaults to None: not known, which is enough for whole images.
        height: Height in pixels. Defaults to None: not known.
    """

    id: ImageId
    path: str
    labels: list[dict[str, Any]]
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True)
class LabeledSet:
    """Labeled images from one place.

    Attributes:
        name: Where they come from, for people.
        images: The images.
        categories: COCO categories, one per class; empty where whole images have classes, or where
            the classes are to be numbered.
        notes: What the user should know of its boxes, one sentence without a full stop each.
    """

    name: str
    images: list[LabeledImage] = field(default_factory=list)
    categories: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ListedContents:
    """The contents of the files that a pool of named images is read from.

    Attributes:
        pool: All images, without labels.
        labeled: The labeled ones, with their labels.
        image_list: The paths of all images, where ``pool`` does not have them; else None.
    """

    pool: dict[str, Any] | list[dict[str, Any]]
    labeled: dict[str, Any] | list[dict[str, Any]]
    image_list: dict[str, Any] | None = None


class ImageListing(Protocol):
    """Reads labels as a config reads them, and lists images so that the config's datasets do.

    Attributes:
        classes: Class names in the config's order; empty if the config does not know them.
    """

    classes: tuple[str, ...]

    def training_set(self) -> LabeledSet:
        """Read the training set of the config.

        Raises:
            InputError: If a file is missing, or labels do not fit the classes.
        """

    def labeled_file(self, file: Path, folder: Path, rules: Sequence[MatchRule] = ()) -> LabeledSet:
        """Read a file of labels.

        Args:
            file: Path of the file.
            folder: Folder that the names in it are relative to.
            rules: Rules by which a name may differ from that of its image. Defaults to none but
                what is always taken.

        Raises:
            InputError: If a file is missing, or labels do not fit the classes.
        """

    def contents(self, labeled: LabeledSet, new: Sequence[NewImage], root: str) -> ListedContents:
        """List all images, those with labels by absolute paths.

        Args:
            labeled: The labeled images. Their ids must differ from those of the others.
            new: The images without labels.
            root: Folder that the names of the new images are relative to.
        """

    def annotated_contents(self, labeled: LabeledSet) -> dict[str, Any]:
        """List labeled images with their labels, as :meth:`dataset_cfg` reads them.

        Args:
            labeled: The images.
        """

    def dataset_cfg(self, file: Path, root: str) -> dict[str, Any]:
        """Return the config of a dataset that reads a list of images.

        Args:
            file: Path of the list, or of the pool where that has the paths.
            root: Folder that names which are not absolute are relative to.
        """


def any_leaf(cfg: Config) -> dict[str, Any]:
    """Return a dataset config of a whole config, that of the training set if there is one.

    Args:
        cfg: The whole config.

    Raises:
        InputError: If there is none.
    """
    for key in LOADERS:
        loader = cfg.get(key)
        if loader:
            return leaves(loader.dataset)[0]
    raise InputError(
        'The config has no dataset at all. It needs a val_dataloader or a test_dataloader: images '
        'are scored with its pipeline.'
    )


def training_leaves(cfg: Config) -> list[dict[str, Any]]:
    """Return all dataset configs of the training set.

    Args:
        cfg: The whole config.

    Raises:
        InputError: If the config has no training set.
    """
    if not cfg.get('train_dataloader'):
        raise InputError(
            'The config has no train_dataloader, so that it does not say what is labeled. Name a '
            'file of labels by --labeled.'
        )
    return leaves(cfg.train_dataloader.dataset)


def shown_files(loader: dict[str, Any]) -> str:
    """Name the files or folders that the datasets of a loader are read from.

    Args:
        loader: Config of the dataloader.
    """
    files = []
    for leaf in leaves(loader['dataset']):
        name = leaf.get('ann_file')
        if not name:
            prefix = leaf.get('data_prefix') or ''
            name = ', '.join(prefix.values()) if isinstance(prefix, dict) else prefix
        files.append(osp.join(leaf.get('data_root') or '', name))
    return ', '.join(files)


def with_training_set(cfg: Config, dataset: dict[str, Any]) -> Config:
    """Return a copy of a config that trains on another dataset.

    Args:
        cfg: The whole config, which is not changed.
        dataset: Config of the dataset.
    """
    changed = copy.deepcopy(cfg)
    loader = dict(changed.get('train_dataloader') or dict(batch_size=1, num_workers=0))
    loader['dataset'] = copy.deepcopy(dataset)
    changed.train_dataloader = loader
    return changed


def image_files(cfg: Config, dataset: dict[str, Any]) -> list[str]:
    """Return the paths of the image files of a dataset that is not the training set.

    Args:
        cfg: The whole config.
        dataset: Config of the dataset.

    Raises:
        InputError: If one of its files is missing, or its classes are not those of the config.
    """
    from . import build_data_adapter

    paths = []
    for leaf in leaves(dataset):
        data = build_data_adapter(with_training_set(cfg, leaf))
        for image in data.images:
            path = data.image_path(image['id'])
            if path:
                paths.append(path)
    return paths


def with_found_files(
    labeled: LabeledSet,
    file_names: Sequence[str],
    folder: str,
    rules: Sequence[MatchRule] = (),
) -> LabeledSet:
    """Find the files of a labeled set of which some are not where their names say.

    Args:
        labeled: The labeled images.
        file_names: Their names, as the file of labels has them.
        folder: Folder that the names are relative to.
        rules: Rules by which a name may differ from that of its image. Defaults to none but what is
            always taken.

    Returns:
        The set with the paths of the files that were found.

    Raises:
        InputError: If a file does not exist.
    """
    if not missing_files(image.path for image in labeled.images):
        return labeled
    matches = find_named_files(file_names, folder, rules)
    if matches.unmatched:
        sentences = [
            f'{len(matches.unmatched)} of {len(labeled.images)} labeled images of the '
            f'{labeled.name} do not exist in {folder}: {matches.first_near()}.',
            matches.advice(),
            '--labeled-images (for a reference set: --reference-images) names the folder that '
            'names in a file of labels are relative to.',
        ]
        raise InputError(' '.join(filter(None, sentences)))
    images = []
    for image, name in zip(labeled.images, file_names, strict=True):
        images.append(replace(image, path=osp.abspath(osp.join(folder, matches.names[name]))))
    return replace(labeled, images=images, notes=[*labeled.notes, *matches.notes])
