"""Named images as COCO files that the dataset of a detector's config reads."""

from __future__ import annotations

import os.path as osp
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS
from mmengine.config import Config

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

from .data import VOC_KEYS, DetectionDataAdapter


class DetectionListing:
    """An :class:`~mmal.adapters.listing.ImageListing` for detectors.

    A config's own dataset class reads the lists if it is one of COCO files, else ``CocoDataset``.

    Attributes:
        classes: Class names in the config's order.

    Args:
        cfg: The whole config.
    """

    def __init__(self, cfg: Config) -> None:
        self._cfg = cfg
        self._leaf = any_leaf(cfg)
        # Classes are known without any annotation.
        lazy = dict(self._leaf, pipeline=[], filter_cfg=None, test_mode=True, lazy_init=True)
        dataset = DATASETS.build(lazy)
        self.classes: tuple[str, ...] = tuple(dataset.metainfo['classes'])
        self._is_coco = isinstance(dataset, CocoDataset)

    def training_set(self) -> LabeledSet:
        """Read the training set of the config, all of its parts."""
        parts = [self._read(leaf, 'training set') for leaf in training_leaves(self._cfg)]
        images = []
        notes = []
        for part in parts:
            images += part.images
            notes += part.notes
        return LabeledSet('training set', images, parts[0].categories, notes)

    def labeled_file(self, file: Path, folder: Path, rules: Sequence[MatchRule] = ()) -> LabeledSet:
        """Read a COCO file.

        Args:
            file: Path of the file.
            folder: Folder that file names are relative to.
            rules: Rules by which a name may differ from that of its image. Defaults to none but
                what is always taken.
        """
        return self._read(self.dataset_cfg(file, str(folder)), osp.basename(file), rules)

    def _read(self, leaf: dict[str, Any], name: str, rules: Sequence[MatchRule] = ()) -> LabeledSet:
        """The images and boxes of a dataset, by the checks of every training set."""
        data = DetectionDataAdapter(with_training_set(self._cfg, leaf))
        category_names = {category['id']: category['name'] for category in data.categories}
        images = []
        for entry in data.images:
            boxes: list[dict[str, Any]] = []
            for annotation in data.ground_truth([entry['id']]):
                box: dict[str, Any] = dict(annotation)
                box['category'] = category_names[box.pop('category_id')]
                del box['image_id']
                boxes.append(box)
            path = osp.abspath(data.image_path(entry['id']))
            image = LabeledImage(entry['id'], path, boxes, entry['width'], entry['height'])
            images.append(image)
        categories = data.categories
        if {category['name'] for category in categories} != set(self.classes):
            categories = self._numbered()
        labeled = LabeledSet(name, images, categories, data.check_truth())
        file_names = [data.file_info(entry['id'])['file_name'] for entry in data.images]
        return with_found_files(labeled, file_names, data.image_root(), rules)

    def contents(self, labeled: LabeledSet, new: Sequence[NewImage], root: str) -> ListedContents:
        """List all images in COCO files.

        Args:
            labeled: The labeled images.
            new: The images without labels.
            root: Folder that the names of the new images are relative to; not used.
        """
        annotated = self.annotated_contents(labeled)
        images = list(annotated['images'])
        for image in new:
            entry = dict(id=image.id, file_name=image.name, width=image.width, height=image.height)
            images.append(entry)
        pool = dict(images=images, annotations=[], categories=annotated['categories'])
        return ListedContents(pool, annotated)

    def annotated_contents(self, labeled: LabeledSet) -> dict[str, Any]:
        """List labeled images as a COCO file.

        Args:
            labeled: The images.
        """
        categories = labeled.categories or self._numbered()
        ids_by_name = {category['name']: category['id'] for category in categories}
        images = []
        annotations: list[dict[str, Any]] = []
        for image in labeled.images:
            entry = dict(id=image.id, file_name=image.path, width=image.width, height=image.height)
            images.append(entry)
            for box in image.labels:
                annotation = dict(box, id=len(annotations) + 1, image_id=image.id)
                annotation['category_id'] = ids_by_name[annotation.pop('category')]
                annotations.append(annotation)
        return dict(images=images, annotations=annotations, categories=categories)

    def dataset_cfg(self, file: Path, root: str) -> dict[str, Any]:
        """Return the config of a dataset that reads a COCO file.

        Args:
            file: Path of the file.
            root: Folder that file names which are not absolute are relative to.
        """
        leaf = dict(self._leaf)
        if not self._is_coco:
            leaf['type'] = 'CocoDataset'
            for key in VOC_KEYS:
                leaf.pop(key, None)
        metainfo = dict(leaf.get('metainfo') or {}, classes=self.classes)
        leaf.update(
            metainfo=metainfo,
            data_root='',
            ann_file=osp.abspath(file),
            data_prefix=dict(img=osp.abspath(root)),
            filter_cfg=None,
            indices=None,
        )
        return leaf

    def _numbered(self) -> list[dict[str, Any]]:
        return [dict(id=number, name=name) for number, name in enumerate(self.classes, 1)]
