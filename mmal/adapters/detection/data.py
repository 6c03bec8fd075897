"""The data side of detection: the pool, its hidden ground truth, and datasets of the config."""

from __future__ import annotations

import copy
import os.path as osp
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, cast

from mmdet.datasets import CocoDataset, XMLDataset
from mmdet.registry import DATASETS
from mmengine.config import Config

from mmal.adapters.base import Annotation, ImageId, PoolImage, Size
from mmal.adapters.dataset_config import (
    leaf_dataset,
    leaves,
    missing_files,
    pool_leaf,
    reference_cfg,
    require_files,
    test_pipeline,
)
from mmal.annotation.box_faults import BoxExamination, examine_boxes
from mmal.annotation.coco_file import CocoFile
from mmal.annotation.formats import coco
from mmal.annotation.parsed import ParsedSet
from mmal.annotation.records import CocoAnnotation, without_nonfinite
from mmal.errors import InputError, MissingFileError
from mmal.fileio.checksummed import digest_files
from mmal.fileio.text import read_json

from .class_names import class_names, require_own_classes
from .coco_checks import check_fits_classes, check_ids_of_one_kind, check_image_ids
from .coco_conversion import convert_to_coco, images_and_boxes
from .coco_reading import read_coco
from .host_files import HostFiles
from .pipelines import find_annotation_step, influence_pipeline
from .voc_files import check_voc_files

VOC_KEYS = ('img_subdir', 'ann_subdir')
"""Keys of VOC dataset configs that a CocoDataset does not take."""


class DetectionDataAdapter:
    """Reads the training dataset of a config as the pool.

    It is a :class:`~mmal.adapters.base.DataAdapter`. The entries of COCO files are those of
    :mod:`mmal.annotation.coco_file`; any other mmdet dataset (VOC, ...) is converted.

    Attributes:
        cfg: The whole config.
        leaf: Config of the dataset that is the pool.
        classes: Class names in the config's order.
        images: All images of the pool.
        categories: COCO categories, one per class.
        prefix: Folder that file names are relative to, as the config has it.

    Args:
        cfg: The whole config.

    Raises:
        InputError: If a file is missing or malformed, an image id stands twice, be it as text, or
            an annotation's category is not among the config's classes.
    """

    has_boxes = True
    has_files = True
    several_labels = False

    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg
        self.leaf = pool_leaf(cfg)
        self._host_files = HostFiles(cfg.get('work_dir'))
        self._pool = _build_lazily(self.leaf)
        self._is_coco = isinstance(self._pool, CocoDataset)
        self.classes: tuple[str, ...] = class_names(self._pool)
        if self._is_coco:
            self.prefix: str = self._pool.data_prefix['img']
            content = self._read(self._pool).contents
            require_own_classes(self.leaf, self._pool, content)
        else:
            self.prefix = self._pool.data_root or ''
            content = convert_to_coco(self._pool, self.classes, _min_side(self.leaf))
        check_fits_classes(content, self._pool.ann_file, self._pool)
        check_image_ids([image['id'] for image in content['images']], self._pool.ann_file)
        images = [without_nonfinite(image) for image in content['images']]
        self.images: list[PoolImage] = cast(list[PoolImage], images)
        self.categories: list[dict[str, Any]] = content['categories']
        self._by_id = {image['id']: image for image in self.images}
        self._examination = examine_boxes(self.images, content['annotations'])
        self._truth: dict[ImageId, list[CocoAnnotation]] = {}
        for annotation in content['annotations']:
            if annotation['id'] in self._examination.unusable:
                continue
            boxes = self._truth.setdefault(annotation['image_id'], [])
            boxes.append(cast(CocoAnnotation, without_nonfinite(annotation)))

    def _read(self, dataset: CocoDataset) -> CocoFile:
        """The user's file that a built dataset is read from."""
        folder = dataset.data_prefix['img']
        return self._host_files.read(dataset.ann_file, folder, dataset.backend_args)

    def _examine(self, dataset: Any) -> BoxExamination:
        """What the boxes of a built reference or evaluation set are like."""
        if not isinstance(dataset, CocoDataset):
            return examine_boxes(*images_and_boxes(dataset))
        content = self._read(dataset).contents
        path = self._host_files.original(dataset.ann_file)
        check_fits_classes(content, path, dataset)
        check_ids_of_one_kind([image['id'] for image in content['images']], path)
        return examine_boxes(content['images'], content['annotations'])

    def _reading_notes(self, dataset: Any) -> list[str]:
        """What was made good in the file that a built dataset is read from."""
        if not isinstance(dataset, CocoDataset):
            return []
        folder = dataset.data_prefix['img']
        file = self._host_files.read_if_changed(dataset.ann_file, folder, dataset.backend_args)
        if file is None:
            return []
        path = self._host_files.original(dataset.ann_file)
        return [f'{path}: {note}' for note in file.notes]

    @property
    def has_truth(self) -> bool:
        """Whether the training set holds any annotation, usable or not."""
        return self._examination.n_boxes > 0

    @property
    def annotated_ids(self) -> list[ImageId]:
        """Ids of the images that the training set holds a usable box of, in its order."""
        return [image['id'] for image in self.images if image['id'] in self._truth]

    @property
    def is_local(self) -> bool:
        """Whether the image files lie on a local file system."""
        backend_args = self.leaf.get('backend_args') or {}
        return bool(backend_args.get('backend', 'local') == 'local')

    def leave_out(self, image_ids: Iterable[ImageId]) -> None:
        """Take images out of the pool, as if the training set did not have them.

        Args:
            image_ids: Their ids.
        """
        left_out = set(image_ids)
        self.images = [image for image in self.images if image['id'] not in left_out]
        for image_id in left_out:
            del self._by_id[image_id]
            self._truth.pop(image_id, None)

    # --- files of images --------------------------------------------------------------------------

    def image_root(self) -> str:
        """Return the folder that file names are relative to."""
        return osp.abspath(self.prefix) if self.is_local else self.prefix

    def file_info(self, image_id: ImageId) -> dict[str, Any]:
        """Return ``file_name``, ``width`` and ``height`` of an image.

        Args:
            image_id: Id of an image of the pool.
        """
        image = self._by_id[image_id]
        return dict(file_name=image['file_name'], width=image['width'], height=image['height'])

    def image_path(self, image_id: ImageId) -> str:
        """Return the path of an image's file.

        Args:
            image_id: Id of an image of the pool.
        """
        return osp.join(self.prefix, self._by_id[image_id]['file_name'])

    @staticmethod
    def pixel_digest(image_id: ImageId) -> str:
        """Return '': every image has a file.

        Args:
            image_id: Id of an image of the pool; not used.
        """
        return ''

    def missing_files(self) -> list[str]:
        """Return the paths of local image files that do not exist."""
        if not self.is_local:
            return []
        return missing_files(self.image_path(image['id']) for image in self.images)

    def size_mismatches(
        self, sizes: Mapping[ImageId, tuple[Size, Size]]
    ) -> dict[ImageId, tuple[Size, Size]]:
        """Compare the sizes of images with those in the annotation file.

        Args:
            sizes: By image id, the size stored in the file, and the size after EXIF turned it. The
                second one counts if the test pipeline's image loader obeys EXIF.

        Returns:
            Of each image that differs: the size in the annotation file, and the size as loaded.
        """
        color_type = str(test_pipeline(self.cfg)[0].get('color_type', 'color'))
        obeys_exif = color_type in ('color', 'grayscale')
        mismatches = {}
        for image_id, (stored_size, turned_size) in sizes.items():
            loaded_size = turned_size if obeys_exif else stored_size
            image = self._by_id[image_id]
            annotated_size = (image['width'], image['height'])
            if annotated_size != loaded_size:
                mismatches[image_id] = (annotated_size, loaded_size)
        return mismatches

    def files(self, dataset: Any) -> list[str]:
        """Return the image files of a built reference or evaluation set; none if not local.

        Args:
            dataset: The built dataset.
        """
        return self.image_names(dataset) if self.is_local else []

    def image_names(self, dataset: Any) -> list[str]:
        """Return the paths of the images of a built reference or evaluation set, local or not.

        Args:
            dataset: The built dataset.
        """
        paths = []
        for part in _parts(dataset):
            paths += [info['img_path'] for info in _infos(part)]
        return paths

    # --- annotations ------------------------------------------------------------------------------

    def check_truth(self) -> list[str]:
        """Look for boxes that are none among the annotations of the training set.

        Returns:
            What the user should know, one sentence without a full stop each.

        Raises:
            InputError: If nothing can be learned from them.
        """
        source = _source(self._pool)
        notes = self._examination.require_usable(source)
        return [*self._reading_notes(self._pool), *notes]

    def check_annotation_files(self, dataset_cfg: dict[str, Any]) -> None:
        """Refuse a dataset that mmdet could not be built from: VOC files that it cannot read.

        Args:
            dataset_cfg: Config of the dataset.

        Raises:
            InputError: If mmdet cannot read one, or would read it as something else.
        """
        for leaf in leaves(dataset_cfg):
            dataset = _build_lazily(leaf)
            if isinstance(dataset, XMLDataset):
                check_voc_files(dataset, dataset.metainfo.get('classes', self.classes))

    def check_dataset(self, dataset: Any, name: str) -> list[str]:
        """Check the files and categories of a built reference or evaluation set.

        Args:
            dataset: The built dataset.
            name: Name of the set in error messages.

        Returns:
            What the user should know, one sentence without a full stop each.

        Raises:
            InputError: If image files are missing, there is no box at all or none that can be used,
                or its categories are not those of the config.
        """
        notes = []
        for part in _parts(dataset):
            examination = self._examine(part)
            source = self._host_files.original(_source(part))
            notes += self._reading_notes(part)
            notes += examination.require_usable(f'{name}, {source}')
            paths = self.files(part)
            require_files(paths, len(paths), name)
        if not any(info['instances'] for info in _infos(dataset)):
            raise InputError(
                f'The {name} has no box at all. Check its annotation file, and that the classes of '
                'its metainfo are those of the file.'
            )
        return notes

    def annotation_digest(self, dataset: Any = None) -> str:
        """Return a checksum of the files that annotations are read from; '' if they are not local.

        Args:
            dataset: A built dataset. Defaults to None: the pool.
        """
        if dataset is None:
            dataset = self._pool
        files = []
        for part in _parts(dataset):
            files.append(self._host_files.original(getattr(part, 'ann_file', '')))
            if not isinstance(part, CocoDataset):
                files += _xml_files(part)
        local_files = [file for file in files if osp.isfile(file)]
        if not local_files:
            return ''
        return digest_files(local_files)

    def ground_truth(self, image_ids: Iterable[ImageId]) -> list[Annotation]:
        """Return the hidden boxes of some images, for a simulated oracle only, without those that
        training would drop.

        Args:
            image_ids: Ids of images of the pool.
        """
        annotations: list[Annotation] = []
        for image_id in image_ids:
            annotations += self._truth.get(image_id, [])
        return annotations

    @staticmethod
    def parse_dataset(dataset_cfg: dict[str, Any]) -> ParsedSet:
        """Read the annotations of a dataset that is not the pool.

        Args:
            dataset_cfg: Config of the dataset.

        Raises:
            InputError: If a file is missing or malformed.
        """
        leaf = leaf_dataset(dataset_cfg)
        dataset = _build_lazily(leaf)
        if isinstance(dataset, CocoDataset):
            content = read_coco(
                dataset.ann_file, dataset.data_prefix['img'], leaf.get('backend_args')
            ).contents
            folder = dataset.data_prefix['img']
        else:
            classes = tuple(dataset.metainfo['classes'])
            content = convert_to_coco(dataset, classes, _min_side(leaf))
            folder = dataset.data_root or ''
        return ParsedSet(coco.parse(content), [osp.abspath(folder)])

    # --- files of a run ---------------------------------------------------------------------------

    def pool_contents(self) -> dict[str, Any]:
        """Return the pool without annotations, as a COCO file."""
        images = []
        for image in self.images:
            image_id = image['id']
            images.append(dict(id=image_id, **self.file_info(image_id)))
        return dict(images=images, annotations=[], categories=self.categories)

    def labeled_contents(
        self, image_ids: Iterable[ImageId], annotations: Sequence[Annotation]
    ) -> dict[str, Any]:
        """Return a COCO file of labeled images.

        Args:
            image_ids: Ids of the labeled images.
            annotations: COCO annotations of these images. Those without an id get one above all
                others.
        """
        boxes = cast(Sequence[CocoAnnotation], annotations)
        images = [self._by_id[image_id] for image_id in image_ids]
        return dict(images=images, annotations=_numbered(boxes), categories=self.categories)

    @staticmethod
    def read_labeled(path: str | Path) -> tuple[list[ImageId], list[Annotation]]:
        """Read a labeled file.

        Args:
            path: Path of the file.

        Returns:
            Ids of the images, and their annotations; both empty if the file does not exist.
        """
        if not osp.exists(path):
            return [], []
        content = read_json(path)
        ids = [image['id'] for image in content['images']]
        return ids, content['annotations']

    # --- datasets ---------------------------------------------------------------------------------

    @staticmethod
    def row_index(dataset: Any) -> dict[ImageId, int]:
        """Return the row of each image in a pool dataset, by image id.

        Args:
            dataset: A dataset of :meth:`pool_dataset`.
        """
        row_of_id = {}
        for row, info in enumerate(_infos(dataset)):
            row_of_id[info['img_id']] = row
        return row_of_id

    def set_training_set(self, cfg: Config, path: str | Path) -> None:
        """Change a config in place so that its training reads only a labeled file.

        Args:
            cfg: The whole config.
            path: Path of the labeled file.
        """
        leaf = leaf_dataset(cfg.train_dataloader.dataset)
        changes = self._coco_keys(path, leaf.get('filter_cfg'))
        # not by update(): ConfigDict's merges nested dicts
        for key, value in changes.items():
            leaf[key] = value
        if not self._is_coco:
            _drop_voc_keys(leaf)

    def set_evaluation_files(self, cfg: Config) -> None:
        """Change a config in place so that its evaluation reads files that mmdet can read.

        Args:
            cfg: The whole config.

        Raises:
            InputError: If an annotation file cannot be read.
        """
        for name in ('val', 'test'):
            loader = cfg.get(f'{name}_dataloader')
            if loader is not None:
                self._host_files.use_in(loader.dataset)
        for name in ('val', 'test'):
            self._host_files.use_in_evaluator(cfg.get(f'{name}_evaluator'))

    def labeled_dataset(self, path: str | None) -> Any:
        """Build a dataset of labeled images with annotations, as at test time.

        Args:
            path: Path of a labeled file; None for the whole training set.
        """
        changes: dict[str, Any] = dict(filter_cfg=None)
        if path is not None:
            changes = self._coco_keys(path, None)
        return self._build_at_test_time(dict(self.leaf, **changes), annotated=True)

    def pool_dataset(self, path: str) -> Any:
        """Build a dataset of the images of a file, without annotations, as at test time.

        Args:
            path: Path of a file with :meth:`pool_contents`.
        """
        dataset_cfg = dict(self.leaf, **self._coco_keys(path, None))
        return self._build_at_test_time(dataset_cfg, annotated=False)

    def reference_dataset(self, reference: Any) -> Any:
        """Build the reference set R with annotations, as at test time.

        Args:
            reference: 'val' for the dataset of ``val_dataloader``, or a dataset config.

        Raises:
            InputError: If it is anything else, or a file is missing or cannot be read.
        """
        dataset_cfg = reference_cfg(self.cfg, reference)
        self.check_annotation_files(dataset_cfg)
        try:
            return self._build_at_test_time(dataset_cfg, annotated=True)
        except FileNotFoundError as e:
            raise MissingFileError(f'Reference set: file not found: {e.filename or e}.') from None

    def _coco_keys(self, path: str | Path, filter_cfg: dict[str, Any] | None) -> dict[str, Any]:
        """Keys of the pool's dataset config that make it read a COCO file of ours."""
        if self._is_coco:
            return dict(ann_file=osp.abspath(path))
        kept_filters = dict(filter_cfg or {})
        kept_filters.pop('bbox_min_size', None)
        return dict(
            type='CocoDataset',
            metainfo=dict(classes=self.classes),
            data_root='',
            ann_file=osp.abspath(path),
            data_prefix=dict(img=self.prefix),
            filter_cfg=kept_filters or None,
        )

    def _build_at_test_time(self, dataset_cfg: dict[str, Any], annotated: bool) -> Any:
        cfg = copy.deepcopy(dict(dataset_cfg))
        annotation_step = None
        if annotated:
            annotation_step = find_annotation_step(self.leaf.get('pipeline'))
            annotation_step = annotation_step or dict(type='LoadAnnotations', with_bbox=True)
        self._host_files.use_in(cfg)
        for leaf in leaves(cfg):
            steps = influence_pipeline(test_pipeline(self.cfg), annotation_step)
            leaf.update(pipeline=steps, test_mode=True)
            if leaf['type'] == 'CocoDataset':
                _drop_voc_keys(leaf)
        return DATASETS.build(cfg)


def _build_lazily(leaf: dict[str, Any]) -> Any:
    """A dataset without loading any annotation."""
    dataset_cfg = dict(leaf, pipeline=[], filter_cfg=None, test_mode=True, lazy_init=True)
    try:
        return DATASETS.build(dataset_cfg)
    except FileNotFoundError as e:
        raise MissingFileError(f'Cannot open the dataset: {e}.') from None


def _source(dataset: Any) -> str:
    """Where a dataset's annotations are from."""
    return str(dataset.ann_file or dataset.data_root or 'the dataset')


def _min_side(leaf: dict[str, Any]) -> float:
    """Shortest side of a box that a VOC dataset counts, in pixels."""
    filter_cfg = leaf.get('filter_cfg') or {}
    return filter_cfg.get('bbox_min_size') or 0


def _parts(dataset: Any) -> list[Any]:
    """The datasets inside a ConcatDataset, a RepeatDataset and the like, or the dataset itself."""
    if hasattr(dataset, 'datasets'):
        inner = dataset.datasets
    elif hasattr(dataset, 'dataset'):
        inner = [dataset.dataset]
    else:
        return [dataset]
    parts = []
    for part in inner:
        parts += _parts(part)
    return parts


def _xml_files(dataset: Any) -> list[str]:
    """Annotation files of single images, of a VOC dataset."""
    files = []
    for info in _infos(dataset):
        if info.get('xml_path'):
            files.append(info['xml_path'])
    return files


def _infos(dataset: Any) -> Iterator[dict[str, Any]]:
    """What a dataset knows of each image, one after the other."""
    for row in range(len(dataset)):
        yield dataset.get_data_info(row)


def _numbered(boxes: Sequence[CocoAnnotation]) -> list[CocoAnnotation]:
    """The annotations, each with an id of its own. Fresh ids are above all others.

    Labels that were there before the run and those that an oracle reveals may have the same ids.
    """
    known_ids = [box['id'] for box in boxes if isinstance(box.get('id'), int)]
    fresh_ids = count(1 + max(known_ids, default=0))
    taken: set[Any] = set()
    numbered: list[CocoAnnotation] = []
    for box in boxes:
        if 'id' not in box or box['id'] in taken:
            box = CocoAnnotation(**{**box, 'id': next(fresh_ids)})
        taken.add(box['id'])
        numbered.append(box)
    return numbered


def _drop_voc_keys(dataset_cfg: dict[str, Any]) -> None:
    for key in VOC_KEYS:
        dataset_cfg.pop(key, None)
