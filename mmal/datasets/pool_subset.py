from __future__ import annotations

import hashlib
import os.path as osp
from typing import Any

import numpy as np
from mmengine.registry import DATASETS as MMENGINE_DATASETS

from mmal.errors import InputError
from mmal.fileio.text import read_json
from mmal.registry import DATASETS


def image_root(dataset) -> str:
    """The folder that a dataset's image files are named below; '' if it has none."""
    return (dataset.data_prefix or {}).get('img_path') or dataset.data_root or ''


def image_ids(dataset) -> list[str]:
    """A stable id for every row: the file's name below its folder, or, of an image that has none, its pixels' digest.

    Identical images without files are told apart by the order they come in.

    Raises:
        InputError: If a file stands twice.
    """
    root = image_root(dataset)
    ids, seen = [], {}
    for row in range(len(dataset)):
        info = dataset.get_data_info(row)
        if 'img_path' in info:
            image_id = osp.relpath(info['img_path'], root) if root else info['img_path']
            if image_id in seen:
                raise InputError(
                    f'{image_id} stands twice in the pool. Ids must be unique: name each image once.'
                )
            seen[image_id] = 1
        else:
            digest = hashlib.sha256(info['img'].tobytes()).hexdigest()[:16]
            seen[digest] = seen.get(digest, 0) + 1
            image_id = digest if seen[digest] == 1 else f'{digest}-{seen[digest]}'
        ids.append(image_id)
    return ids


@DATASETS.register_module()
class PoolSubset:
    """Some images of a classification dataset, with the labels of a file or with none.

    Args:
        dataset: Config of the whole dataset; its pipeline is used.
        ann_file: JSON list of {id, label}, or of {id}. Defaults to None: all images with the dataset's own labels.

    Raises:
        InputError: If the file names an image that the dataset lacks.
    """

    def __init__(self, dataset: dict, ann_file: str | None = None) -> None:
        self.dataset = MMENGINE_DATASETS.build(dataset)
        self.dataset.full_init()
        all_ids = image_ids(self.dataset)
        if ann_file is None:
            self.ids, self._labels, self._rows = all_ids, None, range(len(all_ids))
            return
        entries, row_of = (
            read_json(ann_file),
            {image_id: row for row, image_id in enumerate(all_ids)},
        )
        missing = [e['id'] for e in entries if e['id'] not in row_of]
        if missing:
            raise InputError(
                f'{ann_file} names {len(missing)} images that the dataset lacks, e.g. {missing[0]}.'
            )
        self.ids = [e['id'] for e in entries]
        self._labels = [e.get('label') for e in entries]
        self._rows = [row_of[image_id] for image_id in self.ids]

    @property
    def metainfo(self) -> dict:
        return self.dataset.metainfo

    @property
    def CLASSES(self):  # noqa: N802  mmpretrain's name
        return self.dataset.CLASSES

    def get_gt_labels(self):
        """For hooks that count classes."""
        return np.array([self.get_data_info(i)['gt_label'] for i in range(len(self))])

    def full_init(self) -> None:
        """Nothing is lazy here."""

    def __len__(self) -> int:
        return len(self.ids)

    def get_data_info(self, index: int) -> dict:
        """Image and label; none of the dataset's own labels if there is a file."""
        info = self.dataset.get_data_info(self._rows[index])
        if self._labels is not None:
            for key in ('gt_label', 'gt_score', 'gt_label_difficult'):
                info.pop(key, None)
            if self._labels[index] is not None:
                info['gt_label'] = self._labels[index]
        return info

    def get_cat_ids(self, index: int) -> list[int]:
        """For class-balancing wrappers."""
        label = self.get_data_info(index)['gt_label']
        return list(label) if isinstance(label, (list, tuple)) else [int(label)]

    def __getitem__(self, index: int) -> Any:
        return self.dataset.pipeline(self.get_data_info(index))
