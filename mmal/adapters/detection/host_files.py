"""COCO files as mmdet and pycocotools can read them, in place of those that users bring."""

from __future__ import annotations

import os
import os.path as osp
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from mmdet.datasets import CocoDataset
from mmdet.evaluation import CocoMetric
from mmdet.registry import DATASETS, METRICS

from mmal.adapters.dataset_config import leaves
from mmal.annotation.coco_file import CocoFile, parse_coco
from mmal.annotation.parsed import finite_float
from mmal.annotation.records import without_nonfinite
from mmal.errors import InputError
from mmal.fileio.atomic import write_bytes
from mmal.fileio.checksummed import digest_bytes
from mmal.fileio.text import json_bytes
from mmal.utils.same_content import find_copies

from .coco_reading import read_coco

_FileKey: TypeAlias = tuple[str, int, int]
"""Path of a file, its size in bytes, and the time of its last change in nanoseconds."""

FOLDER = 'host_annotations'
"""Folder of a run that has such files."""


class HostFiles:
    """Copies of the COCO files that mmdet would stumble over or misread, to be read in their place.

    What a file leaves out is in its copy (see :mod:`mmal.annotation.coco_file`); boxes that are not
    finite are not. A file that is whole has no copy. The user's file is never changed. A copy is
    named after its content, so that several processes and a resumed run have the same one.

    Args:
        work_dir: Folder of the run. Defaults to None: the copies last as long as this object.
    """

    def __init__(self, work_dir: str | None = None) -> None:
        self._work_dir = work_dir
        # Whole files are not kept: the annotations of a large pool take gigabytes.
        self._whole: set[_FileKey] = set()
        self._changed: dict[_FileKey, CocoFile] = {}
        self._copies: dict[_FileKey | None, str] = {}
        self._originals: dict[str, str] = {}

    @cached_property
    def _scratch(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix='mmal-')

    @property
    def _folder(self) -> Path:
        if self._work_dir is None:
            return Path(self._scratch.name)
        return Path(self._work_dir, FOLDER)

    def original(self, path: str) -> str:
        """Path of the user's file that a dataset is read from.

        Args:
            path: Path of the file or of its copy.
        """
        return self._originals.get(path, path)

    def read(
        self, path: str, image_folder: str, backend_args: dict[str, Any] | None = None
    ) -> CocoFile:
        """Read a user's file.

        Args:
            path: Path of the file or of its copy.
            image_folder: Folder that the names of images are relative to.
            backend_args: Arguments of mmengine's file backend. Defaults to None: by the path.

        Raises:
            InputError: See :func:`~mmal.adapters.detection.coco_reading.read_coco`.
        """
        path = self.original(path)
        key = _file_key(path)
        if key in self._changed:
            return self._changed[key]
        file = read_coco(path, image_folder, backend_args)
        if key is not None and file.changed:
            self._changed[key] = file
        elif key is not None:
            self._whole.add(key)
        return file

    def read_if_changed(
        self, path: str, image_folder: str, backend_args: dict[str, Any] | None = None
    ) -> CocoFile | None:
        """Read a user's file if something in it is made good, and there are notes on it.

        Args:
            path: Path of the file or of its copy.
            image_folder: Folder that the names of images are relative to.
            backend_args: Arguments of mmengine's file backend. Defaults to None: by the path.

        Returns:
            None if the host can read the file as it is. It is not read again to tell so.

        Raises:
            InputError: See :meth:`read`.
        """
        if _file_key(self.original(path)) in self._whole:
            return None
        file = self.read(path, image_folder, backend_args)
        return file if file.changed else None

    def use_in(self, dataset_cfg: dict[str, Any]) -> None:
        """Change the config of a dataset in place, so that it reads copies where there are some.

        Args:
            dataset_cfg: Config of a dataset, or of one around others. Files that do not exist stay
                as they are.

        Raises:
            InputError: If a file cannot be read, or needs a copy and is in a remote store.
        """
        for leaf in leaves(dataset_cfg):
            dataset = _unread(leaf)
            if dataset is None:
                continue
            if _is_remote(dataset):
                self._require_whole(dataset)
                continue
            if not osp.isfile(dataset.ann_file):
                continue
            file = self.read_if_changed(
                dataset.ann_file, dataset.data_prefix['img'], leaf.get('backend_args')
            )
            if file is not None:
                leaf['ann_file'] = self._copy(self.original(dataset.ann_file), file)

    def use_in_evaluator(self, evaluator_cfg: Any) -> None:
        """Change the config of an evaluator in place, as :meth:`use_in` does that of its dataset.

        Args:
            evaluator_cfg: Config of an evaluator or a metric, or a list of them; or None.

        Raises:
            InputError: If the file of a CocoMetric, which is that of no dataset, cannot be read.
        """
        for metric in _metrics(evaluator_cfg):
            path = metric.get('ann_file')
            if not path:
                continue
            copy = self._copy_of(path)
            if copy is None and _is_coco_metric(metric) and osp.isfile(path):
                copy = self._copy_of_unshared(path)
            if copy is not None:
                metric['ann_file'] = copy

    def _copy_of(self, path: str) -> str | None:
        """The copy that is read in place of a file, or of another one with the same content."""
        copies = {original: copy for copy, original in self._originals.items()}
        original = osp.abspath(path)
        if original not in copies:
            original = find_copies([path], copies).get(path, original)
        return copies.get(original)

    def _copy_of_unshared(self, path: str) -> str | None:
        """The copy of a file that no dataset reads, as one of the images of several datasets; None
        if the metric can read it as it is.
        """
        key = _file_key(path)
        if key in self._whole:
            return None
        try:
            file = parse_coco(Path(path).read_bytes())
        except InputError as e:
            raise InputError(f'{path} {e}') from None
        if file.changed:
            return self._copy(path, file)
        if key is not None:
            self._whole.add(key)
        return None

    def _require_whole(self, dataset: CocoDataset) -> None:
        """Refuse a file in a remote store that mmdet cannot read."""
        file = self.read_if_changed(
            dataset.ann_file, dataset.data_prefix['img'], dataset.backend_args
        )
        if file is not None:
            raise InputError(
                f'{dataset.ann_file} lacks what mmdet needs ({"; ".join(file.notes)}). Expected a '
                'whole file, because it is not on this machine: copy it here, or mend it there.'
            )

    def _copy(self, path: str, file: CocoFile) -> str:
        """Write the copy of a file if there is none, and return its path."""
        key = _file_key(path)
        known = self._copies.get(key)
        if known is not None and osp.exists(known):
            return known
        copy = osp.abspath(self._write_copy(path, file))
        self._originals[copy] = osp.abspath(path)
        if key is not None:
            self._copies[key] = copy
        return copy

    def _write_copy(self, path: str, file: CocoFile) -> Path:
        annotations = []
        for annotation in file.annotations:
            if None not in map(finite_float, annotation['bbox']):
                annotations.append(without_nonfinite(annotation))
        contents = dict(
            images=[without_nonfinite(image) for image in file.images],
            annotations=annotations,
            categories=file.categories,
        )
        content = json_bytes(contents, indent=None)
        stem = osp.splitext(osp.basename(path))[0]
        copy = self._folder / f'{stem}_{digest_bytes(content)[:12]}.json'
        if not copy.exists():
            write_bytes(copy, content)
        return copy


def _file_key(path: str) -> _FileKey | None:
    """What tells whether a file has changed; None if it is in a remote store, or missing."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return path, stat.st_size, stat.st_mtime_ns


def _is_remote(dataset: CocoDataset) -> bool:
    """Whether the annotation file of a dataset is in a remote store."""
    backend = (dataset.backend_args or {}).get('backend')
    if backend is not None:
        return bool(backend != 'local')
    return '://' in dataset.ann_file


def _is_coco_metric(metric: dict[str, Any]) -> bool:
    kind = metric.get('type')
    return (METRICS.get(kind) if isinstance(kind, str) else kind) is CocoMetric


def _unread(leaf: dict[str, Any]) -> CocoDataset | None:
    """A dataset that has read no annotation; None if it is not one of COCO files."""
    kind = leaf['type']
    if isinstance(kind, str):
        kind = DATASETS.get(kind)
    if not (isinstance(kind, type) and issubclass(kind, CocoDataset)):
        return None
    lazy = dict(leaf, pipeline=[], filter_cfg=None, test_mode=True, lazy_init=True)
    return DATASETS.build(lazy)


def _metrics(evaluator_cfg: Any) -> Iterator[dict[str, Any]]:
    """Configs of the metrics in that of an evaluator."""
    if isinstance(evaluator_cfg, (list, tuple)):
        for part in evaluator_cfg:
            yield from _metrics(part)
    elif isinstance(evaluator_cfg, dict):
        yield evaluator_cfg
        yield from _metrics(evaluator_cfg.get('metrics'))
