"""Any mmpretrain dataset as a pool: stable image ids, and datasets of a part of the images."""

from __future__ import annotations

import hashlib
import os.path as osp
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from numpy.typing import NDArray

from mmal.errors import InputError
from mmal.fileio.text import read_json
from mmal.registry import DATASETS


def image_root(dataset: BaseDataset) -> str:
    """Find the folder that a dataset's image files are named below.

    Args:
        dataset: A built dataset.

    Returns:
        Path of the folder; '' if there is none.
    """
    prefix = dataset.data_prefix or {}
    return prefix.get('img_path') or dataset.data_root or ''


def pixel_digest(image: Any) -> str:
    """Checksum of the pixels of an image in memory, 16 hexadecimal digits.

    Args:
        image: The pixels as an array.
    """
    return hashlib.sha256(image.tobytes()).hexdigest()[:16]


def image_ids(dataset: BaseDataset) -> list[str]:
    """Give every row of a dataset a stable id.

    The id of an image file is its name below :func:`image_root`. The id of an image without a file
    is a digest of its pixels; identical images without files are told apart by their order.

    Args:
        dataset: A built dataset.

    Raises:
        InputError: If a file occurs twice.
    """
    root = image_root(dataset)
    ids = []
    occurrences: Counter[str] = Counter()
    for row in range(len(dataset)):
        info = dataset.get_data_info(row)
        if 'img_path' in info:
            image_id = osp.relpath(info['img_path'], root) if root else info['img_path']
            if image_id in occurrences:
                raise InputError(
                    f'{image_id} stands twice in the pool. Ids must be unique: name each image '
                    'once.'
                )
            occurrences[image_id] = 1
        else:
            digest = pixel_digest(info['img'])
            occurrences[digest] += 1
            n = occurrences[digest]
            image_id = digest if n == 1 else f'{digest}-{n}'
        ids.append(image_id)
    return ids


def digest_in_id(image_id: str) -> str:
    """Read the digest of an image's pixels off its id.

    Args:
        image_id: Id of an image without a file, as :func:`image_ids` makes it.

    Returns:
        Sixteen hexadecimal digits, the same for images whose pixels are the same.
    """
    return image_id.partition('-')[0]


@DATASETS.register_module()
class PoolSubset:
    """Images of a classification dataset, chosen and labeled by a file.

    Attributes:
        dataset: The dataset within.
        ids: Image ids, by row.

    Args:
        dataset: Config of the dataset that has the images and the pipeline.
        ann_file: Path of a list of {id, label}, or of {id}. Defaults to None: all images with the
            dataset's own labels.

    Raises:
        InputError: If the file names an image that the dataset lacks.
    """

    def __init__(self, dataset: dict[str, Any], ann_file: str | None = None) -> None:
        self.dataset = MMENGINE_DATASETS.build(dataset)
        self.dataset.full_init()
        all_ids = image_ids(self.dataset)
        self.ids = all_ids
        self._labels: list[Any] | None = None
        self._rows: Sequence[int] = range(len(all_ids))
        if ann_file is not None:
            self._choose(ann_file)

    def _choose(self, ann_file: str) -> None:
        """Keep the images of a file, with its labels."""
        entries = read_json(ann_file)
        row_of = {image_id: row for row, image_id in enumerate(self.ids)}
        missing = [entry['id'] for entry in entries if entry['id'] not in row_of]
        if missing:
            raise InputError(
                f'{ann_file} names {len(missing)} images that the dataset lacks, e.g. {missing[0]}.'
            )
        self.ids = [entry['id'] for entry in entries]
        self._labels = [entry.get('label') for entry in entries]
        self._rows = [row_of[image_id] for image_id in self.ids]

    @property
    def metainfo(self) -> dict[str, Any]:
        """Meta information of the dataset within."""
        metainfo: dict[str, Any] = self.dataset.metainfo
        return metainfo

    @property
    def CLASSES(self) -> Any:
        """Class names of the dataset within, under mmpretrain's name for them."""
        return self.dataset.CLASSES

    def get_gt_labels(self) -> NDArray[Any]:
        """Read all labels, for hooks that count classes.

        Returns:
            The label of each image, by row.
        """
        return np.array([self.get_data_info(row)['gt_label'] for row in range(len(self))])

    def full_init(self) -> None:
        """Do nothing: this dataset is never lazy."""

    def __len__(self) -> int:
        return len(self.ids)

    def get_data_info(self, index: int) -> dict[str, Any]:
        """Read image and label of a row.

        If labels come from a file, none of the dataset's own are given.

        Args:
            index: Row of the image.
        """
        info: dict[str, Any] = self.dataset.get_data_info(self._rows[index])
        if self._labels is None:
            return info
        for key in ('gt_label', 'gt_score', 'gt_label_difficult'):
            info.pop(key, None)
        if self._labels[index] is not None:
            info['gt_label'] = self._labels[index]
        return info

    def get_cat_ids(self, index: int) -> list[int]:
        """Read the class indices of a row, for class-balancing wrappers.

        Args:
            index: Row of the image.
        """
        label = self.get_data_info(index)['gt_label']
        if isinstance(label, (list, tuple)):
            return list(label)
        return [int(label)]

    def __getitem__(self, index: int) -> Any:
        return self.dataset.pipeline(self.get_data_info(index))
