"""The data side of detection: the pool, its hidden ground truth, and datasets made from the user's config."""

from __future__ import annotations

import copy
import os.path as osp
from itertools import count
from typing import Any

from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS

from mmal.adapters.dataset_config import (
    leaf_dataset,
    leaves,
    pool_leaf,
    reference_cfg,
    test_pipeline,
)
from mmal.errors import InputError
from mmal.fileio.checksummed import digest_files
from mmal.fileio.text import read_json

from .coco_checks import check_coco, check_order, check_xml_names, read_coco


def _is_annotation(step: dict) -> bool:
    kind = step['type']  # a name or, in new-style configs, a class
    return getattr(kind, '__name__', str(kind)).endswith('LoadAnnotations')


def _find_annotation_step(steps: Any) -> dict | None:
    """The first LoadAnnotations of a (nested) pipeline."""
    for step in steps or []:
        if _is_annotation(step):
            return step
        nested = _find_annotation_step(
            [t for t in step.get('transforms', []) if isinstance(t, dict)]
        )
        if nested:
            return nested
    return None


def influence_pipeline(steps: list[dict], annotation_step: dict | None) -> list[dict]:
    """The test pipeline with annotations loaded right behind the image, or not at all.

    mmdet's test pipelines load boxes *after* Resize, so that evaluation sees original coordinates; a loss needs them
    resized with the image.

    Args:
        steps: The test pipeline.
        annotation_step: A LoadAnnotations config, or None for a pipeline that cannot see annotations.
    """
    steps = [copy.deepcopy(step) for step in steps if not _is_annotation(step)]
    if annotation_step is not None:
        steps.insert(1, copy.deepcopy(annotation_step))
    return steps


def _check(content: dict, dataset) -> None:
    """InputError if the annotations of a dataset do not fit its classes."""
    classes = tuple(dataset.metainfo['classes'])
    check_coco(content, dataset.ann_file, classes)
    if type(dataset) is CocoDataset:  # others have their own way to number categories
        check_order(content, dataset.ann_file, classes)


class DetectionDataAdapter:
    """Reads the training dataset of a config as the pool; see :class:`~mmal.adapters.base.DataAdapter`.

    COCO-format datasets keep their JSON entries as they are; any other mmdet dataset (VOC, ...) is converted.

    Args:
        cfg: The whole config.

    Raises:
        InputError: If a file is missing or malformed, an image id stands twice, or an annotation's category is not
            among the config's classes.
    """

    def __init__(self, cfg) -> None:
        self.cfg = cfg
        self.leaf = pool_leaf(cfg)
        try:
            empty = DATASETS.build(
                dict(self.leaf, pipeline=[], filter_cfg=None, test_mode=True, lazy_init=True)
            )
        except FileNotFoundError as e:
            raise InputError(f'Cannot open the training dataset: {e}.') from None
        self.classes = tuple(empty.metainfo['classes'])
        self._is_coco, self._pool = isinstance(empty, CocoDataset), empty
        content = self._read_coco(empty) if self._is_coco else self._convert(empty)
        _check(content, empty)
        self.images, self.categories = content['images'], content['categories']
        self._truth: dict[Any, list[dict]] = {}
        for annotation in content['annotations']:
            self._truth.setdefault(annotation['image_id'], []).append(annotation)
        self._by_id = {image['id']: image for image in self.images}

    # --- reading ----------------------------------------------------------------------------------------------------

    def _read_coco(self, empty) -> dict:
        self.prefix = empty.data_prefix['img']
        return read_coco(empty.ann_file, self.leaf.get('backend_args'))

    def _convert(self, dataset) -> dict:
        """Ground truth of a non-COCO dataset in COCO form; category ids are 1 + the class index."""
        self.prefix = dataset.data_root or ''
        try:
            dataset.full_init()
        except FileNotFoundError as e:
            raise InputError(f'Annotation file not found: {e.filename or e}.') from None
        images, annotations = [], []
        smallest = (self.leaf.get('filter_cfg') or {}).get(
            'bbox_min_size'
        ) or 0  # mmdet trains with these ignored
        for i in range(len(dataset)):
            info = dataset.get_data_info(i)
            if info.get('xml_path'):
                check_xml_names(info['xml_path'], self.classes)
            path = osp.relpath(info['img_path'], self.prefix) if self.prefix else info['img_path']
            images.append(
                dict(id=info['img_id'], file_name=path, width=info['width'], height=info['height'])
            )
            for instance in info['instances']:
                x1, y1, x2, y2 = (float(c) for c in instance['bbox'])
                annotations.append(
                    dict(
                        id=len(annotations) + 1,
                        image_id=info['img_id'],
                        category_id=instance['bbox_label'] + 1,
                        bbox=[x1, y1, x2 - x1, y2 - y1],
                        area=(x2 - x1) * (y2 - y1),
                        iscrowd=int(instance['ignore_flag'] or min(x2 - x1, y2 - y1) < smallest),
                    )
                )
        categories = [dict(id=i + 1, name=name) for i, name in enumerate(self.classes)]
        return dict(images=images, annotations=annotations, categories=categories)

    # --- what the loop asks -----------------------------------------------------------------------------------------

    has_boxes = has_files = True
    several_labels = False

    @property
    def has_truth(self) -> bool:
        return bool(self._truth)

    def image_root(self) -> str:
        return osp.abspath(self.prefix) if self.is_local else self.prefix

    def file_info(self, image_id) -> dict:
        return {k: self._by_id[image_id][k] for k in ('file_name', 'width', 'height')}

    def image_path(self, image_id) -> str:
        return osp.join(self.prefix, self._by_id[image_id]['file_name'])

    def missing_files(self) -> list[str]:
        """Files of pool images that do not exist (local ones only)."""
        paths = (self.image_path(image['id']) for image in self.images) if self.is_local else ()
        return [path for path in paths if not osp.exists(path)]

    def size_mismatches(self, sizes: dict) -> dict:
        turned = str(test_pipeline(self.cfg)[0].get('color_type', 'color')) in (
            'color',
            'grayscale',
        )
        found = {i: pair[turned] for i, pair in sizes.items()}
        said = {i: (self._by_id[i]['width'], self._by_id[i]['height']) for i in found}
        return {i: (said[i], found[i]) for i in found if said[i] != found[i]}

    def files(self, dataset) -> list[str]:
        parts = getattr(dataset, 'datasets', [dataset])
        return (
            [part.get_data_info(i)['img_path'] for part in parts for i in range(len(part))]
            if self.is_local
            else []
        )

    def check_dataset(self, dataset, name: str) -> None:
        """Look for missing images and unknown categories in a built reference or evaluation set.

        Raises:
            InputError: If there are any.
        """
        for leaf in getattr(dataset, 'datasets', [dataset]):
            if isinstance(leaf, CocoDataset):
                _check(read_coco(leaf.ann_file, leaf.backend_args), leaf)
            paths = self.files(leaf)
            missing = [path for path in paths if not osp.exists(path)]
            if missing:
                raise InputError(
                    f'{len(missing)} of {len(paths)} image files of the {name} do not exist, e.g. '
                    f'{missing[0]}.'
                )
        if not any(dataset.get_data_info(i)['instances'] for i in range(len(dataset))):
            raise InputError(
                f'The {name} has no box at all. Check its annotation file, and that the classes of its '
                'metainfo are those of the file.'
            )

    def annotation_digest(self, dataset=None) -> str:
        files = []
        for part in [self._pool] if dataset is None else getattr(dataset, 'datasets', [dataset]):
            infos = (
                () if isinstance(part, CocoDataset) else map(part.get_data_info, range(len(part)))
            )
            files += [
                getattr(part, 'ann_file', ''),
                *(info['xml_path'] for info in infos if info.get('xml_path')),
            ]
        files = [file for file in files if osp.isfile(file)]
        return digest_files(files) if files else ''

    @property
    def is_local(self) -> bool:
        """Whether the images lie on a local file system."""
        return (self.leaf.get('backend_args') or {}).get('backend', 'local') == 'local'

    def ground_truth(self, image_ids) -> list[dict]:
        return [a for i in image_ids for a in self._truth.get(i, [])]

    def pool_contents(self) -> dict:
        """The pool without annotations, as a COCO file."""
        keep = ('id', 'file_name', 'width', 'height')
        images = [{k: image[k] for k in keep} for image in self.images]
        return dict(images=images, annotations=[], categories=self.categories)

    def labeled_contents(self, image_ids, annotations: list[dict]) -> dict:
        """A COCO file of these images; annotations without an id get one above all others."""
        numbers = count(
            1 + max((a['id'] for a in annotations if isinstance(a.get('id'), int)), default=0)
        )
        annotations = [a if 'id' in a else dict(a, id=next(numbers)) for a in annotations]
        return dict(
            images=[self._by_id[i] for i in image_ids],
            annotations=annotations,
            categories=self.categories,
        )

    @staticmethod
    def read_labeled(path) -> tuple[list, list[dict]]:
        """Ids and annotations of a labeled file; none if it does not exist."""
        if not osp.exists(path):
            return [], []
        content = read_json(path)
        return [image['id'] for image in content['images']], content['annotations']

    @staticmethod
    def row_index(dataset) -> dict:
        """Row of each image id in a pool dataset."""
        return {dataset.get_data_info(row)['img_id']: row for row in range(len(dataset))}

    def set_training_set(self, cfg, path: str) -> None:
        leaf = leaf_dataset(cfg.train_dataloader.dataset)
        for key, value in self._coco_leaf(path, leaf.get('filter_cfg')).items():
            leaf[key] = value  # ConfigDict.update would merge
        if not self._is_coco:
            for key in ('img_subdir', 'ann_subdir'):
                leaf.pop(key, None)

    def _coco_leaf(self, path: str, filter_cfg: dict | None) -> dict:
        if self._is_coco:
            return dict(ann_file=osp.abspath(path))
        filter_cfg = {k: v for k, v in (filter_cfg or {}).items() if k != 'bbox_min_size'}
        return dict(
            type='CocoDataset',
            metainfo=dict(classes=self.classes),
            data_root='',
            ann_file=osp.abspath(path),
            data_prefix=dict(img=self.prefix),
            filter_cfg=filter_cfg or None,
        )

    def labeled_dataset(self, path: str | None):
        leaf = dict(
            self.leaf, **(dict(filter_cfg=None) if path is None else self._coco_leaf(path, None))
        )
        return self._at_test_time(leaf, annotated=True)

    def pool_dataset(self, path: str):
        return self._at_test_time(dict(self.leaf, **self._coco_leaf(path, None)), annotated=False)

    def reference_dataset(self, reference):
        """R: 'val' for the dataset of val_dataloader, or a dataset config of one's own."""
        try:
            return self._at_test_time(reference_cfg(self.cfg, reference), annotated=True)
        except FileNotFoundError as e:
            raise InputError(f'Reference set: file not found: {e.filename or e}.') from None

    def _at_test_time(self, dataset_cfg: dict, annotated: bool):
        cfg = copy.deepcopy(dict(dataset_cfg))
        step = _find_annotation_step(self.leaf.get('pipeline')) or dict(
            type='LoadAnnotations', with_bbox=True
        )
        for leaf in leaves(cfg):
            steps = influence_pipeline(test_pipeline(self.cfg), step if annotated else None)
            leaf.update(pipeline=steps, test_mode=True)
            for key in ('img_subdir', 'ann_subdir') if leaf['type'] == 'CocoDataset' else ():
                leaf.pop(key, None)
        return DATASETS.build(cfg)
