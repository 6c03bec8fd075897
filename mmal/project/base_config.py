"""The config a project inherits: what task it is for, and what in it has to be said anew."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hub import get_config

from mmal.adapters import several_labels
from mmal.errors import InputError

TASKS = {'mmdet': 'detection', 'mmpretrain': 'classification'}
OWN_HEAD = 'RPNHead'
"""Type of heads whose one class is 'object', whatever the classes are."""
LENGTHS = ('max_epochs', 'max_iters')


@dataclass(frozen=True)
class Place:
    """A dataset in a config.

    Attributes:
        keys: From the dataloader to the dict that is to be replaced, beginning with 'dataset'.
        pipeline: Expression for its pipeline in a config that inherits.
        steps: That pipeline.
        filter_cfg: Of that dataset.
        repeated: Whether a RepeatDataset around it stays.
    """

    keys: list[str]
    pipeline: str
    steps: list[dict]
    filter_cfg: dict
    repeated: bool


class BaseConfig:
    """A config file of mmdet or mmpretrain.

    Args:
        name: A path, or e.g. ``'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'``.
        task: 'detection' or 'classification', to be compared with it. Defaults to None.

    Raises:
        InputError: If there is no such config, or boxes or classes of whole images are not enough to train by it.
    """

    def __init__(self, name: str, task: str | None = None) -> None:
        self.cfg = _read(name)
        self.name = name if '::' in name else os.path.abspath(name)
        scope = self.cfg.get('default_scope')
        if scope not in TASKS:
            raise InputError(
                f"--config {name}: expected default_scope 'mmdet' or 'mmpretrain', found {scope!r}. "
                'Give a whole config of a model, not a part of one.'
            )
        self.task = TASKS[scope]
        if task not in (None, self.task):
            raise InputError(
                f'--task {task}, but --config {name} is for {self.task}. Leave --task out, or give a '
                f'config for {task}.'
            )
        for part in ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper'):
            if not self.cfg.get(part):
                raise InputError(
                    f'--config {name} has no {part}. Give a whole config of a model, not a part of one.'
                )
        self.train = place(self.cfg, 'train_dataloader')
        self.test_name = next(
            (n for n in ('test_dataloader', 'val_dataloader') if self.cfg.get(n)), None
        )
        if self.test_name is None:
            raise InputError(
                f'--config {name} has neither a test_dataloader nor a val_dataloader, whose pipeline '
                'images are scored with.'
            )
        self.test = place(self.cfg, self.test_name)
        if any(step.get('with_mask') or step.get('with_seg') for step in self.train.steps):
            raise InputError(
                f'--config {name} learns masks, but people will draw boxes. Give a detector of boxes.'
            )

    @property
    def boxes(self) -> bool:
        """Whether it is a detector."""
        return self.task == 'detection'

    @property
    def several(self) -> bool:
        """Whether it is a classifier that learns several classes an image."""
        return several_labels(self.cfg)

    @property
    def length(self) -> dict[str, int]:
        """How long it trains: max_epochs or max_iters.

        Raises:
            InputError: If it says neither.
        """
        found = {k: self.cfg.train_cfg[k] for k in LENGTHS if self.cfg.train_cfg.get(k)}
        if not found:
            raise InputError(
                '--config: its train_cfg has neither max_epochs nor max_iters. Add one of them.'
            )
        return found

    @property
    def pretrained(self) -> bool:
        """Whether any part of the model begins with trained weights."""
        return bool(self.cfg.get('load_from')) or _has_weights(self.cfg.model)


def _read(name: str) -> Config:
    try:
        if '::' in name:
            return get_config(name)
        if not Path(name).is_file():
            raise FileNotFoundError(name)
        if 'read_base()' in Path(name).read_text(encoding='utf-8', errors='replace'):
            raise InputError(
                f"--config {name} is of the new style (read_base), which configs of this one's style "
                "cannot inherit. Give the same model's config of the other style."
            )
        return Config.fromfile(name)
    except InputError:
        raise
    except FileNotFoundError as e:
        raise InputError(
            f'--config {name}: there is no such file: {e.filename or e}. Give the path of a config file, '
            "or e.g. 'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'."
        ) from None
    except Exception as e:  # noqa: BLE001  a config is a program
        raise InputError(f'--config {name} cannot be read: {type(e).__name__}: {e}') from e


def place(cfg: Config, loader: str) -> Place:
    """The dataset of a dataloader, inside wrappers; of several that are joined, the first stands for all."""
    keys, dataset, expression = ['dataset'], cfg[loader].dataset, f'_base_.{loader}.dataset'
    repeated = False
    while 'dataset' in dataset:
        keys.append('dataset')
        repeated |= str(getattr(dataset.type, '__name__', dataset.type)).endswith('RepeatDataset')
        dataset, expression = dataset.dataset, f'{expression}.dataset'
    while 'datasets' in dataset or 'dataset' in dataset:
        inner = 'datasets' if 'datasets' in dataset else 'dataset'
        dataset, expression = (
            (dataset.datasets[0], f'{expression}.datasets[0]')
            if inner == 'datasets'
            else (dataset.dataset, f'{expression}.dataset')
        )
    if dataset.get('pipeline') is None:
        raise InputError(f'--config: the dataset of {loader} has no pipeline.')
    return Place(
        keys,
        f'{expression}.pipeline',
        list(dataset.pipeline),
        dict(dataset.get('filter_cfg') or {}),
        repeated,
    )


def _has_weights(part: Any) -> bool:
    if isinstance(part, dict):
        return (
            part.get('type') == 'Pretrained'
            or bool(part.get('checkpoint'))
            or any(map(_has_weights, part.values()))
        )
    return isinstance(part, (list, tuple)) and any(map(_has_weights, part))


def overrides(part: Any, expression: str, classes: int, whole: bool = False) -> str | None:
    """Text that sets num_classes in each head below a part of a config; None if there is none.

    Args:
        part: Of the config.
        expression: For it in a config that inherits.
        classes: How many there are.
        whole: Whether the text stands for the part itself, as in a list, whose elements are not merged; else it is
            merged into it.
    """
    if isinstance(part, (list, tuple)):
        return _list_overrides(part, expression, classes)
    if not isinstance(part, dict) or str(part.get('type')).endswith(OWN_HEAD):
        return None
    said = []
    for key, value in part.items():
        if key == 'num_classes' and isinstance(value, int):
            said.append('num_classes=len(classes)')
        elif (
            key == 'topk'
            and 'num_classes' in part
            and max(value if isinstance(value, tuple) else [1]) > classes
        ):
            said.append('topk=(1, )')
        elif text := overrides(value, f'{expression}.{key}', classes, whole):
            said.append(f'{key}={text}')
    return f'dict({", ".join(([expression] if whole else []) + said)})' if said else None


def _list_overrides(part: list, expression: str, classes: int) -> str | None:
    """The same for each element of a list, in one expression if it is the same for all."""
    same = {overrides(p, 'h', classes, whole=True) for p in part}
    if len(same) == 1:
        text = same.pop()
        return text and f'[{text} for h in {expression}]'
    texts = [overrides(p, f'{expression}[{n}]', classes, whole=True) for n, p in enumerate(part)]
    return (
        ('[' + ', '.join(t or f'{expression}[{n}]' for n, t in enumerate(texts)) + ']')
        if any(texts)
        else None
    )
