"""The data side of classification: the pool, its hidden labels, and datasets made from the user's config."""

from __future__ import annotations

import copy
import json
import os.path as osp
from functools import cached_property
from typing import Any

from mmengine.registry import DATASETS

from mmal.adapters.dataset_config import leaves, pool_leaf, reference_cfg, test_pipeline
from mmal.datasets.pool_subset import PoolSubset, image_ids, image_root
from mmal.errors import InputError
from mmal.fileio.checksummed import digest_bytes
from mmal.fileio.text import read_json

from .heads import head_takes_several


def _plain(label: Any) -> int | list[int]:
    return [int(x) for x in label] if hasattr(label, '__len__') else int(label)


class ClassificationDataAdapter:
    """Reads the training dataset of a config as the pool; see :class:`~mmal.adapters.base.DataAdapter`.

    Any mmpretrain dataset whose items have ``gt_label``: a class index, or a list of them for several labels.

    Args:
        cfg: The whole config.

    Raises:
        InputError: If a file is missing, an image stands twice, or an image has no label.
    """

    def __init__(self, cfg) -> None:
        self.cfg, self.leaf, self.several_labels = cfg, pool_leaf(cfg), head_takes_several(cfg)
        dataset = self._build(dict(self.leaf, pipeline=[]), 'training set')
        self.classes = tuple(dataset.metainfo.get('classes') or ())
        ids, self._root = image_ids(dataset), image_root(dataset)
        self._paths, self._truth = {}, {}
        for row, image_id in enumerate(ids):
            info = dataset.get_data_info(row)
            self._paths[image_id] = info.get('img_path', '')
            if 'gt_label' in info:
                self._truth[image_id] = _plain(info['gt_label'])
        self.images = [dict(id=i, file_name=osp.basename(self._paths[i])) for i in ids]

    @staticmethod
    def _build(cfg: dict, name: str):
        try:
            dataset = DATASETS.build(cfg)
            dataset.full_init()
        except FileNotFoundError as e:
            raise InputError(
                f'Cannot open the {name}: file not found: {e.filename or e}. Check data_root.'
            ) from None
        if not len(dataset):
            raise InputError(f'The {name} has no image. Check data_root and data_prefix.')
        return dataset

    @cached_property
    def is_local(self) -> bool:
        """Whether the images are files of a local file system."""
        return all(osp.isabs(p) or '://' not in p for p in self._paths.values()) and any(
            self._paths.values()
        )

    has_boxes = False
    categories: list[dict] = []

    @property
    def has_truth(self) -> bool:
        return bool(self._truth)

    @property
    def has_files(self) -> bool:
        return all(self._paths.values())

    def image_root(self) -> str:
        return osp.abspath(self._root) if self.is_local else self._root

    def file_info(self, image_id) -> dict:
        return dict(file_name=image_id)

    def image_path(self, image_id) -> str:
        return self._paths[image_id]

    def missing_files(self) -> list[str]:
        return [p for p in self._paths.values() if p and not osp.exists(p)] if self.is_local else []

    @staticmethod
    def size_mismatches(sizes: dict) -> dict:
        """None: labels of whole images have no size."""
        return {}

    def files(self, dataset) -> list[str]:
        infos = [dataset.get_data_info(i) for i in range(len(dataset))] if self.is_local else []
        return [i['img_path'] for i in infos if 'img_path' in i]

    def check_dataset(self, dataset, name: str) -> None:
        """InputError if a reference or evaluation set lacks files or labels, or has labels beyond the classes."""
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
        missing = [path for path in self.files(dataset) if not osp.exists(path)]
        if missing:
            raise InputError(
                f'{len(missing)} of {len(infos)} image files of the {name} do not exist, e.g. '
                f'{missing[0]}.'
            )
        if not any('gt_label' in i or 'gt_score' in i for i in infos):
            raise InputError(f'The {name} has no label at all. Check its annotation file.')
        theirs = tuple(dataset.metainfo.get('classes') or self.classes)
        if self.classes and theirs != self.classes:
            raise InputError(
                f'The {name} has other classes than the pool ({len(theirs)}: {", ".join(theirs[:5])} ...; '
                f'the pool {len(self.classes)}: {", ".join(self.classes[:5])} ...).'
            )

    def annotation_digest(self, dataset=None) -> str:
        labels = self._truth.items()
        if dataset is not None:
            infos = map(dataset.get_data_info, range(len(dataset)))
            labels = (
                (osp.basename(i.get('img_path', '')), _plain(i['gt_label']))
                for i in infos
                if 'gt_label' in i
            )
        lines = sorted(map(json.dumps, labels))
        return f'{len(lines)} labels, sha256 {digest_bytes("/".join(lines).encode())}'

    def ground_truth(self, image_ids) -> list[dict]:
        lacking = [i for i in image_ids if i not in self._truth]
        if lacking:
            raise InputError(
                f'{lacking[0]} has no label in the training set, so a simulated oracle cannot reveal it.'
            )
        return [dict(id=i, label=self._truth[i]) for i in image_ids]

    def pool_contents(self) -> list[dict]:
        return [dict(id=image['id']) for image in self.images]

    def labeled_contents(self, image_ids, annotations: list[dict]) -> list[dict]:
        by_id = {a['id']: a['label'] for a in annotations}
        return [dict(id=i, label=by_id[i]) for i in image_ids]

    @staticmethod
    def read_labeled(path) -> tuple[list, list[dict]]:
        content = read_json(path) if osp.exists(path) else []
        return [entry['id'] for entry in content], content

    @staticmethod
    def row_index(dataset: PoolSubset) -> dict:
        return {image_id: row for row, image_id in enumerate(dataset.ids)}

    def set_training_set(self, cfg, path: str) -> None:
        leaf = pool_leaf(cfg)
        whole = copy.deepcopy(leaf)
        leaf.clear()  # in place: wrappers around it keep it
        for key, value in self._subset(whole, path).items():
            leaf[key] = value

    @staticmethod
    def _subset(dataset: dict, path: str | None) -> dict:
        return dict(type='mmal.PoolSubset', dataset=dataset, ann_file=path and osp.abspath(path))

    def labeled_dataset(self, path: str | None) -> PoolSubset:
        return self._build(self._subset(self._at_test_time(self.leaf), path), 'labeled set')

    pool_dataset = labeled_dataset

    def reference_dataset(self, reference):
        return self._build(self._at_test_time(reference_cfg(self.cfg, reference)), 'reference set')

    def _at_test_time(self, dataset: dict) -> dict:
        cfg = copy.deepcopy(dict(dataset))
        for leaf in leaves(cfg):
            leaf['pipeline'] = test_pipeline(self.cfg)
        return cfg
