"""Named images with classes as lists that mmpretrain's BaseDataset reads."""

from __future__ import annotations

import json
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
from mmal.annotation.match_rules import MatchRule
from mmal.errors import InputError

from .data import ClassificationDataAdapter

EXPECTED = (
    'expected a list of {"id": path, "label": class}, a list in mmengine\'s format, or a text file '
    'with "path class" a line'
)


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
        """Read a file of images with their classes.

        It is a JSON list of {"id": path, "label": class}, a list in mmengine's format, or text with
        "path class" a line, which mmpretrain's CustomDataset reads. A class is an index or a name.

        Args:
            file: Path of the file.
            folder: Folder that paths are relative to.
            rules: Rules by which a name may differ from that of its image. Defaults to none but
                what is always taken.

        Raises:
            InputError: If the file is of none of these kinds, or a class is unknown.
        """
        images = []
        for name, label in _read_entries(file, bool(self.classes)):
            path = osp.abspath(osp.join(folder, name))
            image = LabeledImage(name, path, [dict(label=self._index(label, file))])
            images.append(image)
        labeled = LabeledSet(osp.basename(file), images)
        return with_found_files(labeled, [str(image.id) for image in images], str(folder), rules)

    def _require_same_classes(self, classes: tuple[str, ...]) -> None:
        """Take the classes of a training set, or refuse others than those that are known."""
        if self.classes and classes and classes != self.classes:
            raise InputError(
                f'The training set has the classes {", ".join(classes[:10])}, the checkpoint has '
                f'{", ".join(self.classes[:10])}. Give the config that it was trained with.'
            )
        self.classes = self.classes or classes

    def _index(self, label: Any, file: Path) -> int | list[int]:
        """The index of a class, or the indices of several."""
        if isinstance(label, list):
            indices: list[int] = []
            for part in label:
                index = -1 if isinstance(part, list) else self._index(part, file)
                if not isinstance(index, int) or index < 0:
                    raise InputError(f'{file}: {label!r} is no list of classes.')
                indices.append(index)
            return indices
        if isinstance(label, float):
            raise InputError(f'{file}: class {label!r} is neither a name nor the index of one.')
        if label in self.classes:
            return self.classes.index(label)
        try:
            index = int(label)
        except (TypeError, ValueError):
            index = -1
        if index < 0 or (self.classes and index >= len(self.classes)):
            shown = ', '.join(self.classes[:10]) or 'no names'
            raise InputError(
                f'{file}: class {label!r} is none of the {len(self.classes)} of the config '
                f'({shown}), nor the index of one.'
            )
        return index

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


def _read_entries(file: Path, are_named: bool) -> list[tuple[str, Any]]:
    """Path and class of each image of a file; by name, if the file and the config name classes."""
    try:
        text = file.read_text(encoding='utf-8-sig')
        if file.suffix.lower() == '.json':
            return _json_entries(json.loads(text), are_named)
        entries = []
        for line in filter(str.strip, text.splitlines()):
            name, label = line.strip().rsplit(' ', 1)
            entries.append((name, label))
        return entries
    except FileNotFoundError:
        raise InputError(f'{file} does not exist: {EXPECTED}.') from None
    except (KeyError, TypeError, ValueError) as e:
        raise InputError(f'{file} cannot be read: {EXPECTED} ({e}).') from None


def _json_entries(content: Any, are_named: bool) -> list[tuple[str, Any]]:
    names: list[str] = []
    if isinstance(content, dict):
        if are_named:
            # Indices are of the file's own order.
            names = list((content.get('metainfo') or {}).get('classes') or ())
        pairs = [(entry['img_path'], entry['gt_label']) for entry in content['data_list']]
    else:
        pairs = [(entry['id'], entry['label']) for entry in content]
    entries = []
    for path, label in pairs:
        if not isinstance(path, str):
            raise ValueError(f'{path!r} is no path')
        entries.append((path, _named(label, names)))
    return entries


def _named(label: Any, names: Sequence[str]) -> Any:
    """Names of classes in place of their indices, where there are names."""
    if isinstance(label, list):
        return [_named(part, names) for part in label]
    if isinstance(label, int) and 0 <= label < len(names):
        return names[label]
    return label
