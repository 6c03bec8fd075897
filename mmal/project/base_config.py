"""The config that a project inherits: its task, and what a project has to replace in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hub import get_config

from mmal.adapters import several_labels
from mmal.errors import InputError
from mmal.utils.pretrained import weights_key

TASKS = {'mmdet': 'detection', 'mmpretrain': 'classification'}
"""Task of a config by its default_scope."""
LENGTH_KEYS = ('max_epochs', 'max_iters')
"""Keys of train_cfg that say how long a training is."""
LOOP_TYPES = ('EpochBasedTrainLoop', 'IterBasedTrainLoop', 'ActiveLoop')
"""Types of training loops that a project can replace by an ActiveLoop."""


@dataclass(frozen=True)
class DatasetLocation:
    """Where a config has a dataset, which may lie inside wrappers.

    Attributes:
        keys: Keys from the dataloader to the dict that is to be replaced, beginning with 'dataset'.
        pipeline: Expression for the dataset's pipeline in a config that inherits.
        steps: That pipeline.
        filter_cfg: The dataset's ``filter_cfg``; empty if it has none.
        repeated: Whether a RepeatDataset around the dataset stays.
    """

    keys: list[str]
    pipeline: str
    steps: list[dict[str, Any]]
    filter_cfg: dict[str, Any]
    repeated: bool


class BaseConfig:
    """A config file of mmdet or mmpretrain that a project can inherit.

    Args:
        name: Path of the file, or a name such as
            ``'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'``.
        task: 'detection' or 'classification', which the config must be for. Defaults to None:
            either.

    Attributes:
        cfg: The config as it was read.
        name: What a config that inherits writes as ``_base_``.
        task: 'detection' or 'classification'.
        length: How long a training is: ``max_epochs`` or ``max_iters`` with their number.
        train: Where the training dataset is.
        test_name: Name of the dataloader that images are scored with: 'test_dataloader', or
            'val_dataloader' if there is no other.
        test: Where its dataset is.

    Raises:
        InputError: If there is no such config, or a project for boxes or for classes of whole
            images cannot inherit it.
    """

    def __init__(self, name: str, task: str | None = None) -> None:
        self.cfg = _read(name)
        self.name = name if '::' in name else os.path.abspath(name)
        self.task = _task(self.cfg, name, task)
        _require_whole(self.cfg, name)
        self.train = locate_dataset(self.cfg, 'train_dataloader')
        self.test_name = _test_name(self.cfg, name)
        self.test = locate_dataset(self.cfg, self.test_name)
        if any(step.get('with_mask') or step.get('with_seg') for step in self.train.steps):
            raise InputError(
                f'--config {name} learns masks, but people will draw boxes. '
                'Give a detector of boxes.'
            )
        self.length = _training_length(self.cfg)
        _require_known_loop(self.cfg, name)

    @property
    def boxes(self) -> bool:
        """Whether the model is a detector."""
        return self.task == 'detection'

    @property
    def multi_label(self) -> bool:
        """Whether the model is a classifier that learns several classes per image."""
        return bool(several_labels(self.cfg))

    @property
    def pretrained(self) -> bool:
        """Whether any part of the model begins with trained weights."""
        return weights_key(self.cfg) is not None


def type_name(value: Any) -> str:
    """Name of what a config gives as ``type``, without its scope.

    Args:
        value: The name of a registered class, with or without a scope, or the class itself.
    """
    return str(getattr(value, '__name__', value)).split('.')[-1]


def _read(name: str) -> Config:
    try:
        if '::' in name:
            return get_config(name)
        if not Path(name).is_file():
            raise FileNotFoundError(name)
        text = Path(name).read_text(encoding='utf-8', errors='replace')
        if 'read_base()' in text:
            raise InputError(
                f"--config {name} is of the new style (read_base), which configs of this one's "
                "style cannot inherit. Give the same model's config of the other style."
            )
        return Config.fromfile(name)
    except InputError:
        raise
    except FileNotFoundError as e:
        raise InputError(
            f'--config {name}: there is no such file: {e.filename or e}. Give the path of a config '
            "file, or e.g. 'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'."
        ) from None
    except Exception as e:  # noqa: BLE001  a config is a program
        raise InputError(f'--config {name} cannot be read: {type(e).__name__}: {e}') from e


def _task(cfg: Config, name: str, wanted: str | None) -> str:
    scope = cfg.get('default_scope')
    if scope not in TASKS:
        raise InputError(
            f"--config {name}: expected default_scope 'mmdet' or 'mmpretrain', found {scope!r}. "
            'Give a whole config of a model, not a part of one.'
        )
    task = TASKS[scope]
    if wanted not in (None, task):
        raise InputError(
            f'--task {wanted}, but --config {name} is for {task}. Leave --task out, or give a '
            f'config for {wanted}.'
        )
    return task


def _require_whole(cfg: Config, name: str) -> None:
    for part in ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper'):
        if not cfg.get(part):
            raise InputError(
                f'--config {name} has no {part}. Give a whole config of a model, not a part of one.'
            )


def _test_name(cfg: Config, name: str) -> str:
    for key in ('test_dataloader', 'val_dataloader'):
        if cfg.get(key):
            return key
    raise InputError(
        f'--config {name} has neither a test_dataloader nor a val_dataloader, whose pipeline '
        'images are scored with.'
    )


def _training_length(cfg: Config) -> dict[str, int]:
    length = {key: cfg.train_cfg[key] for key in LENGTH_KEYS if cfg.train_cfg.get(key)}
    if not length:
        raise InputError(
            '--config: its train_cfg has neither max_epochs nor max_iters. Add one of them.'
        )
    return length


def _require_known_loop(cfg: Config, name: str) -> None:
    """Refuse a training loop whose rounds an ActiveLoop would train in another way."""
    given = cfg.train_cfg.get('type')
    if given is None or type_name(given) in LOOP_TYPES:
        return
    raise InputError(
        f'--config {name}: its train_cfg is a {type_name(given)}, by which mmal cannot train a '
        'round. Give a config whose train_cfg is an EpochBasedTrainLoop or an IterBasedTrainLoop.'
    )


def locate_dataset(cfg: Config, loader: str) -> DatasetLocation:
    """Find the dataset of a dataloader inside its wrappers.

    Wrappers of one dataset above any other kind stay. What joins several datasets, and all below
    it, is replaced; the first of the datasets stands for all.

    Args:
        cfg: The config.
        loader: Key of the dataloader.

    Returns:
        Where the dataset is.

    Raises:
        InputError: If the dataset has no pipeline.
    """
    keys = ['dataset']
    dataset = cfg[loader].dataset
    expression = f'_base_.{loader}.dataset'
    repeated = False
    while 'dataset' in dataset:
        repeated = repeated or type_name(dataset.type).endswith('RepeatDataset')
        keys.append('dataset')
        dataset = dataset.dataset
        expression += '.dataset'
    while 'datasets' in dataset or 'dataset' in dataset:
        if 'datasets' in dataset:
            dataset = dataset.datasets[0]
            expression += '.datasets[0]'
        else:
            dataset = dataset.dataset
            expression += '.dataset'
    if dataset.get('pipeline') is None:
        raise InputError(f'--config: the dataset of {loader} has no pipeline.')
    return DatasetLocation(
        keys=keys,
        pipeline=f'{expression}.pipeline',
        steps=list(dataset.pipeline),
        filter_cfg=dict(dataset.get('filter_cfg') or {}),
        repeated=repeated,
    )
