"""The data side of classification: the pool, its hidden labels, and datasets of the config."""

from __future__ import annotations

import copy
import json
import os.path as osp
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, cast

from mmengine.config import Config
from mmengine.registry import DATASETS
from mmpretrain.datasets import CustomDataset

from mmal.adapters.base import Annotation, ImageId, PoolImage, Size
from mmal.adapters.dataset_config import (
    leaves,
    missing_files,
    pool_leaf,
    reference_cfg,
    require_files,
    test_pipeline,
)
from mmal.annotation.parsed import ParsedFile, ParsedImage, ParsedSet
from mmal.annotation.records import ImageLabel
from mmal.datasets.pool_subset import (
    PoolSubset,
    digest_in_id,
    image_ids,
    image_root,
    pixel_digest,
)
from mmal.errors import InputError, MissingFileError
from mmal.fileio.checksummed import digest_bytes
from mmal.fileio.text import read_json

from .class_folders import check_class_folders
from .heads import head_takes_several

PlainLabel: TypeAlias = int | list[int]
"""Class index of an image, or those of all its classes."""


class ClassificationDataAdapter:
    """Reads the training dataset of a config as the pool.

    It is a :class:`~mmal.adapters.base.DataAdapter`. Any mmpretrain dataset will do whose items
    have ``gt_label``: a class index, or a list of them for several labels.

    Attributes:
        cfg: The whole config.
        leaf: Config of the dataset that is the pool.
        classes: Class names, as the dataset has them.
        images: All images of the pool.
        several_labels: Whether an image may have several classes.

    Args:
        cfg: The whole config.

    Raises:
        InputError: If a file is missing, there is no image, or an image stands twice.
    """

    has_boxes = False

    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg
        self.leaf = pool_leaf(cfg)
        self.several_labels = head_takes_several(cfg)
        self.categories: list[dict[str, Any]] = []
        _check_folders(self.leaf)
        dataset = _build(dict(self.leaf, pipeline=[]), 'training set')
        classes = dataset.metainfo.get('classes') or ()
        self.classes: tuple[str, ...] = tuple(classes)
        self._root = image_root(dataset)
        self._paths: dict[ImageId, str] = {}
        self._truth: dict[ImageId, PlainLabel] = {}
        self.images: list[PoolImage] = []
        for row, image_id in enumerate(image_ids(dataset)):
            info = dataset.get_data_info(row)
            path = info.get('img_path', '')
            self._paths[image_id] = path
            image = PoolImage(id=image_id, file_name=osp.basename(path))
            self.images.append(image)
            if 'gt_label' in info:
                self._truth[image_id] = _plain_label(info['gt_label'])

    @cached_property
    def is_local(self) -> bool:
        """Whether the images are files of a local file system."""
        for path in self._paths.values():
            if '://' in path and not osp.isabs(path):
                return False
        return any(self._paths.values())

    @property
    def has_truth(self) -> bool:
        """Whether the training set holds any label."""
        return bool(self._truth)

    @property
    def annotated_ids(self) -> list[ImageId]:
        """Ids of the images that the training set holds a label of, in its order."""
        return list(self._truth)

    @property
    def has_files(self) -> bool:
        """Whether all images are files, local or not."""
        return all(self._paths.values())

    def leave_out(self, image_ids: Iterable[ImageId]) -> None:
        """Take images out of the pool, as if the training set did not have them.

        Args:
            image_ids: Their ids.
        """
        left_out = set(image_ids)
        self.images = [image for image in self.images if image['id'] not in left_out]
        for image_id in left_out:
            del self._paths[image_id]
            self._truth.pop(image_id, None)

    # --- files of images --------------------------------------------------------------------------

    def image_root(self) -> str:
        """Return the folder that file names are relative to."""
        return osp.abspath(self._root) if self.is_local else self._root

    def file_info(self, image_id: ImageId) -> dict[str, Any]:
        """Return ``file_name`` of an image, which is its id.

        Args:
            image_id: Id of an image of the pool.
        """
        return dict(file_name=image_id)

    def image_path(self, image_id: ImageId) -> str:
        """Return the path of an image's file; '' if it has none.

        Args:
            image_id: Id of an image of the pool.
        """
        return self._paths[image_id]

    def pixel_digest(self, image_id: ImageId) -> str:
        """Return a checksum of the pixels of an image without a file; '' if it has one.

        Args:
            image_id: Id of an image of the pool.
        """
        if self._paths[image_id]:
            return ''
        return digest_in_id(str(image_id))

    def missing_files(self) -> list[str]:
        """Return the paths of local image files that do not exist."""
        if not self.is_local:
            return []
        return missing_files(self._paths.values())

    @staticmethod
    def size_mismatches(
        sizes: Mapping[ImageId, tuple[Size, Size]],
    ) -> dict[ImageId, tuple[Size, Size]]:
        """Return nothing: labels of whole images have no size.

        Args:
            sizes: Sizes by image id; not used.
        """
        return {}

    def files(self, dataset: Any) -> list[str]:
        """Return the image files of a built reference or evaluation set; none if not local.

        Args:
            dataset: The built dataset.
        """
        if not self.is_local:
            return []
        paths = []
        for info in _infos(dataset):
            if 'img_path' in info:
                paths.append(info['img_path'])
        return paths

    def image_names(self, dataset: Any) -> list[str]:
        """Return what tells the images of a built reference or evaluation set apart: the path of a
        file, local or not; of an image in memory, a checksum of its pixels.

        Args:
            dataset: The built dataset.
        """
        names = []
        for info in _infos(dataset):
            names.append(info['img_path'] if 'img_path' in info else pixel_digest(info['img']))
        return names

    # --- labels -----------------------------------------------------------------------------------

    def check_truth(self) -> list[str]:
        """Return nothing: classes have no boxes."""
        return []

    def check_annotation_files(self, dataset_cfg: dict[str, Any]) -> None:
        """Refuse a dataset whose folders of images are not the pool's classes.

        Args:
            dataset_cfg: Config of the dataset.

        Raises:
            InputError: If a folder would be taken for another class than it is.
        """
        for leaf in leaves(dataset_cfg):
            _check_folders(leaf, self.classes)

    def check_dataset(self, dataset: Any, name: str) -> list[str]:
        """Check the files, labels and classes of a built reference or evaluation set.

        Args:
            dataset: The built dataset.
            name: Name of the set in error messages.

        Returns:
            Nothing: classes have no boxes.

        Raises:
            InputError: If image files are missing, there is no label at all, or its classes are not
                those of the pool.
        """
        require_files(self.files(dataset), len(dataset), name)
        if not any(map(_has_label, _infos(dataset))):
            raise InputError(f'The {name} has no label at all. Check its annotation file.')
        classes = tuple(dataset.metainfo.get('classes') or self.classes)
        if self.classes and classes != self.classes:
            raise InputError(
                f'The {name} has other classes than the pool ({len(classes)}: '
                f'{", ".join(classes[:5])} ...; the pool {len(self.classes)}: '
                f'{", ".join(self.classes[:5])} ...).'
            )
        return []

    def annotation_digest(self, dataset: Any = None) -> str:
        """Return a checksum of labels, whatever their order.

        Args:
            dataset: A built dataset. Defaults to None: the pool.
        """
        if dataset is None:
            labels: list[tuple[Any, Any]] = list(self._truth.items())
        else:
            labels = []
            for info in _infos(dataset):
                if 'gt_label' in info:
                    file_name = osp.basename(info.get('img_path', ''))
                    label = _plain_label(info['gt_label'])
                    labels.append((file_name, label))
        lines = sorted(map(json.dumps, labels))
        text = '/'.join(lines)
        return f'{len(lines)} labels, sha256 {digest_bytes(text.encode())}'

    def image_labels(self, dataset: Any) -> list[PlainLabel | None]:
        """Read the labels of a built dataset.

        Args:
            dataset: The built dataset.

        Returns:
            Class index of each image, or the list of them for several labels; None where an image
            has no label.
        """
        labels: list[PlainLabel | None] = []
        for info in _infos(dataset):
            labels.append(_plain_label(info['gt_label']) if 'gt_label' in info else None)
        return labels

    def ground_truth(self, image_ids: Iterable[ImageId]) -> list[Annotation]:
        """Return the hidden labels of some images, for a simulated oracle only.

        Args:
            image_ids: Ids of images of the pool.

        Raises:
            InputError: If an image has no label.
        """
        labels: list[Annotation] = []
        for image_id in image_ids:
            if image_id not in self._truth:
                raise InputError(
                    f'{image_id} has no label in the training set, so a simulated oracle cannot '
                    'reveal it.'
                )
            label = ImageLabel(id=image_id, label=self._truth[image_id])
            labels.append(label)
        return labels

    def parse_dataset(self, dataset_cfg: dict[str, Any]) -> ParsedSet:
        """Read the labels of a dataset that is not the pool.

        Args:
            dataset_cfg: Config of the dataset.

        Raises:
            InputError: If a file is missing, or an image stands twice.
        """
        dataset = _build(dict(dataset_cfg, pipeline=[]), 'set of labeled images')
        classes = dataset.metainfo.get('classes') or self.classes
        images = []
        for row, image_id in enumerate(image_ids(dataset)):
            info = dataset.get_data_info(row)
            if _has_label(info):
                label = _plain_label(info['gt_label'])
                indices = label if isinstance(label, list) else [label]
                labels = [classes[index] for index in indices]
                images.append(ParsedImage(None, image_id, f'row {row}', labels=labels))
        folder = osp.abspath(image_root(dataset))
        return ParsedSet(ParsedFile(images, problems=[], classes=list(classes)), [folder])

    # --- files of a run ---------------------------------------------------------------------------

    def pool_contents(self) -> list[dict[str, Any]]:
        """Return the ids of the pool."""
        return [dict(id=image['id']) for image in self.images]

    def labeled_contents(
        self, image_ids: Iterable[ImageId], annotations: Sequence[Annotation]
    ) -> list[dict[str, Any]]:
        """Return ids with labels.

        Args:
            image_ids: Ids of the labeled images.
            annotations: Image labels of these images.
        """
        image_labels = cast(Sequence[ImageLabel], annotations)
        label_of_id = {entry['id']: entry['label'] for entry in image_labels}
        contents = []
        for image_id in image_ids:
            contents.append(dict(id=image_id, label=label_of_id[image_id]))
        return contents

    @staticmethod
    def read_labeled(path: str | Path) -> tuple[list[ImageId], list[Annotation]]:
        """Read a labeled file.

        Args:
            path: Path of the file.

        Returns:
            Ids of the images, and their labels; both empty if the file does not exist.
        """
        if not osp.exists(path):
            return [], []
        content = read_json(path)
        ids = [entry['id'] for entry in content]
        return ids, content

    # --- datasets ---------------------------------------------------------------------------------

    @staticmethod
    def row_index(dataset: PoolSubset) -> dict[ImageId, int]:
        """Return the row of each image in a pool dataset, by image id.

        Args:
            dataset: A dataset of :meth:`pool_dataset`.
        """
        return {image_id: row for row, image_id in enumerate(dataset.ids)}

    def set_training_set(self, cfg: Config, path: str | Path) -> None:
        """Change a config in place so that its training reads only a labeled file.

        Args:
            cfg: The whole config.
            path: Path of the labeled file.
        """
        leaf = pool_leaf(cfg)
        subset = _subset_cfg(copy.deepcopy(leaf), path)
        # in place: wrappers around the leaf keep it
        leaf.clear()
        for key, value in subset.items():
            leaf[key] = value

    def set_evaluation_files(self, cfg: Config) -> None:
        """Leave a config as it is: the host reads every file that its datasets can.

        Args:
            cfg: The whole config.
        """

    def labeled_dataset(self, path: str | None) -> PoolSubset:
        """Build a dataset of labeled images, as at test time.

        Args:
            path: Path of a labeled file; None for the whole training set.
        """
        return self._build_subset(path)

    def pool_dataset(self, path: str) -> PoolSubset:
        """Build a dataset of the images of a file, without labels, as at test time.

        Args:
            path: Path of a file with :meth:`pool_contents`.
        """
        return self._build_subset(path)

    def reference_dataset(self, reference: Any) -> Any:
        """Build the reference set R with labels, as at test time.

        Args:
            reference: 'val' for the dataset of ``val_dataloader``, or a dataset config.

        Raises:
            InputError: If it is anything else, a file is missing, or there is no image.
        """
        dataset_cfg = reference_cfg(self.cfg, reference)
        self.check_annotation_files(dataset_cfg)
        return _build(self._at_test_time(dataset_cfg), 'reference set')

    def _build_subset(self, path: str | None) -> PoolSubset:
        subset_cfg = _subset_cfg(self._at_test_time(self.leaf), path)
        subset: PoolSubset = _build(subset_cfg, 'labeled set')
        return subset

    def _at_test_time(self, dataset_cfg: dict[str, Any]) -> dict[str, Any]:
        """A copy of a dataset config with the test pipeline."""
        cfg = copy.deepcopy(dict(dataset_cfg))
        for leaf in leaves(cfg):
            leaf['pipeline'] = test_pipeline(self.cfg)
        return cfg


def _build(dataset_cfg: dict[str, Any], name: str) -> Any:
    """Build a dataset and refuse an empty one."""
    try:
        dataset = DATASETS.build(dataset_cfg)
        dataset.full_init()
    except FileNotFoundError as e:
        raise MissingFileError(
            f'Cannot open the {name}: file not found: {e.filename or e}. Check data_root.'
        ) from None
    if not len(dataset):
        raise InputError(f'The {name} has no image. Check data_root and data_prefix.')
    return dataset


def _check_folders(leaf: dict[str, Any], pool_classes: Sequence[str] = ()) -> None:
    """Refuse folders that are not the classes, of a dataset with a folder of images per class."""
    with DATASETS.switch_scope_and_registry(None) as registry:
        dataset_type = registry.get(leaf['type']) if isinstance(leaf['type'], str) else leaf['type']
    has_folders = dataset_type is CustomDataset and leaf.get('with_label', True)
    if has_folders and not leaf.get('ann_file'):
        dataset = DATASETS.build(dict(leaf, pipeline=[], lazy_init=True))
        check_class_folders(dataset, pool_classes)


def _subset_cfg(dataset_cfg: dict[str, Any], path: str | Path | None) -> dict[str, Any]:
    """Config of the images of a dataset that a file names; of all of them without a file."""
    ann_file = path
    if path:
        ann_file = osp.abspath(path)
    return dict(type='mmal.PoolSubset', dataset=dataset_cfg, ann_file=ann_file)


def _infos(dataset: Any) -> list[dict[str, Any]]:
    """What a dataset knows of each image."""
    return [dataset.get_data_info(row) for row in range(len(dataset))]


def _has_label(info: dict[str, Any]) -> bool:
    return 'gt_label' in info or 'gt_score' in info


def _plain_label(label: Any) -> PlainLabel:
    """A label as JSON has it: a class index, or a list of them."""
    if hasattr(label, '__len__'):
        return list(map(int, label))
    return int(label)
