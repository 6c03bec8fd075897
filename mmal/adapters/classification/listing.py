"""Named images with classes as lists that mmpretrain's BaseDataset reads."""

from __future__ import annotations

import os.path as osp
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS

from mmal.adapters.listing import (
    LabeledImage,
    LabeledSet,
    ListedContents,
    NewImage,
    any_leaf,
    training_leaves,
    with_found_files,
    with_training_set,
)
from mmal.annotation.conversion import image_label, labeled_images
from mmal.annotation.match_rules import MatchRule
from mmal.annotation.parsed import ParsedImage, short_repr
from mmal.annotation.problem_lines import problem_lines
from mmal.annotation.reader import parse_labels, unpack
from mmal.errors import InputError

from .data import ClassificationDataAdapter
from .heads import head_takes_several

MAX_PROBLEMS = 3
"""Entries of a file that a message names."""


class ClassificationListing:
    """An :class:`~mmal.adapters.listing.ImageListing` for classifiers.

    Attributes:
        classes: Class names.

    Args:
        cfg: The whole config.
        known_classes: Class names to take if the config's dataset has none. Defaults to none.
    """

    def __init__(self, cfg: Config, known_classes: Sequence[str] = ()) -> None:
        self._cfg = cfg
        self._leaf = any_leaf(cfg)
        self.classes = _classes(self._leaf) or tuple(known_classes)

    def training_set(self) -> LabeledSet:
        """Read the training set of the config, all of its parts.

        Raises:
            InputError: If its images are no files.
        """
        images = []
        for leaf in training_leaves(self._cfg):
            data = ClassificationDataAdapter(with_training_set(self._cfg, leaf))
            if not data.has_files:
                raise InputError(
                    'The images of the training set are no files. Name a file of labels by '
                    '--labeled.'
                )
            self._require_same_classes(data.classes)
            for label in data.ground_truth([image['id'] for image in data.images]):
                entry: dict[str, Any] = dict(label)
                path = osp.abspath(data.image_path(entry['id']))
                image = LabeledImage(entry['id'], path, [dict(label=entry['label'])])
                images.append(image)
        labeled = LabeledSet('training set', images)
        return with_found_files(labeled, [image.path for image in images], data.image_root())

    def labeled_file(self, file: Path, folder: Path, rules: Sequence[MatchRule] = ()) -> LabeledSet:
        """Read a file of images with their classes, see :mod:`mmal.annotation.reader`.

        Args:
            file: Path of the file.
            folder: Folder that paths are relative to.
            rules: Rules by which a name may differ from that of its image. Defaults to none but
                what is always taken.

        Raises:
            InputError: If the file is of no kind that is read, or a class is unknown.
        """
        names = self.classes or self._numbers()
        try:
            parsed = parse_labels(unpack(file.read_bytes()), has_boxes=False, classes=names)
        except FileNotFoundError:
            raise InputError(f'{file} does not exist.') from None
        except InputError as e:
            raise InputError(f'{file}: {e}') from None
        images = []
        problems = list(parsed.problems)
        for entry in labeled_images(parsed, has_boxes=False):
            label, fault = self._label(entry, names)
            if label is None or entry.file_name is None:
                problems.append(str(fault))
                continue
            path = osp.abspath(osp.join(folder, entry.file_name))
            images.append(LabeledImage(entry.file_name, path, [dict(label=label)]))
        if problems:
            shown = ' '.join(problem_lines(problems, MAX_PROBLEMS))
            raise InputError(f'{file}: {len(problems)} of its entries cannot be used: {shown}')
        labeled = LabeledSet(osp.basename(file), images)
        return with_found_files(labeled, [str(image.id) for image in images], str(folder), rules)

    def _numbers(self) -> tuple[str, ...]:
        """Names for classes that have none: their indices."""
        head = self._cfg.model.get('head') or {}
        return tuple(map(str, range(head.get('num_classes') or 0)))

    def _label(
        self, image: ParsedImage, names: Sequence[str]
    ) -> tuple[int | list[int] | None, str | None]:
        """The index of an image's class, or the indices of several; or None, and the fault."""
        if image.file_name is None:
            found = short_repr(image.image_id)
            return None, f'{image.where}: expected the path of the image as its id, found {found}.'
        for name in image.labels:
            if name not in names:
                shown = ', '.join(names[:10]) or 'no names'
                return None, (
                    f'{image.where}: class {short_repr(name)} is none of the {len(names)} of the '
                    f'config ({shown}), nor the index of one.'
                )
        entry, fault = image_label(image, image.file_name, names, head_takes_several(self._cfg))
        return (None if entry is None else entry['label']), fault

    def _require_same_classes(self, classes: tuple[str, ...]) -> None:
        """Take the classes of a training set, or refuse others than those that are known."""
        if self.classes and classes and classes != self.classes:
            raise InputError(
                f'The training set has the classes {", ".join(classes[:10])}, the checkpoint has '
                f'{", ".join(self.classes[:10])}. Give the config that it was trained with.'
            )
        self.classes = self.classes or classes

    def contents(self, labeled: LabeledSet, new: Sequence[NewImage], root: str) -> ListedContents:
        """List all images. Their ids are paths relative to the folder of the new ones.

        Args:
            labeled: The labeled images. Their own ids are not kept.
            new: The images without labels.
            root: Folder that the names of the new images are relative to.
        """
        paths = []
        labels = []
        for image in labeled.images:
            paths.append(image.path)
            image_id = osp.relpath(image.path, root)
            labels.append(dict(id=image_id, label=image.labels[0]['label']))
        paths += [osp.join(root, image.name) for image in new]
        ids = [osp.relpath(path, root) for path in paths]
        image_list = self._data_list([dict(img_path=path) for path in paths])
        pool = [dict(id=image_id) for image_id in ids]
        return ListedContents(pool, labels, image_list)

    def annotated_contents(self, labeled: LabeledSet) -> dict[str, Any]:
        """List labeled images in mmengine's format.

        Args:
            labeled: The images.
        """
        entries = []
        for image in labeled.images:
            entries.append(dict(img_path=image.path, gt_label=image.labels[0]['label']))
        return self._data_list(entries)

    def _data_list(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        return dict(metainfo=dict(classes=list(self.classes)), data_list=entries)

    def dataset_cfg(self, file: Path, root: str) -> dict[str, Any]:
        """Return the config of a dataset that reads a list in mmengine's format.

        Args:
            file: Path of the list.
            root: Folder that the ids of the images are relative to.
        """
        return dict(
            type='BaseDataset',
            ann_file=osp.abspath(file),
            data_prefix=osp.abspath(root),
            metainfo=dict(classes=self.classes),
            pipeline=self._leaf.get('pipeline') or [],
        )


def _classes(leaf: dict[str, Any]) -> tuple[str, ...]:
    """Class names that a dataset has without reading labels; none if it finds them in its files."""
    try:
        dataset = DATASETS.build(dict(leaf, pipeline=[], lazy_init=True))
    except TypeError:
        # It cannot be built lazily.
        return ()
    return tuple(dataset.metainfo.get('classes') or ())
