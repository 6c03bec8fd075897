"""Find the datasets and pipelines in a config."""

from __future__ import annotations

import copy
import os.path as osp
from collections.abc import Iterable, Sequence
from typing import Any

from mmengine.config import Config

from mmal.errors import InputError


def leaf_dataset(cfg: dict[str, Any]) -> dict[str, Any]:
    """Return the one dataset config inside wrappers such as RepeatDataset.

    Args:
        cfg: A dataset config.

    Raises:
        InputError: If there are several.
    """
    if 'datasets' in cfg:
        if len(cfg['datasets']) != 1:
            raise InputError(
                f'The pool is one dataset, but train_dataloader.dataset is a {cfg["type"]} of '
                f'{len(cfg["datasets"])}. Merge their annotation files into one and use a single '
                'dataset.'
            )
        return leaf_dataset(cfg['datasets'][0])
    if 'dataset' in cfg:
        return leaf_dataset(cfg['dataset'])
    return cfg


def leaves(cfg: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all dataset configs inside wrappers.

    Args:
        cfg: A dataset config.
    """
    if cfg.get('datasets'):
        inner = cfg['datasets']
    elif 'dataset' in cfg:
        inner = [cfg['dataset']]
    else:
        return [cfg]
    all_leaves = []
    for dataset in inner:
        all_leaves += leaves(dataset)
    return all_leaves


def pool_leaf(cfg: Config) -> dict[str, Any]:
    """Return the config of the dataset that is the pool, a part of ``cfg`` itself.

    Args:
        cfg: The whole config.

    Raises:
        InputError: If there are several, or ``indices`` hides a part of it.
    """
    leaf = leaf_dataset(cfg.train_dataloader.dataset)
    if leaf.get('indices') is not None:
        raise InputError(
            'train_dataloader.dataset.indices would hide a part of the pool: remove it.'
        )
    return leaf


def test_pipeline(cfg: Config) -> list[dict[str, Any]]:
    """Return a copy of the pipeline that images are scored with: the validation or the test set's.

    Args:
        cfg: The whole config.

    Raises:
        InputError: If there is neither set.
    """
    loader = cfg.get('val_dataloader') or cfg.get('test_dataloader')
    if loader is None:
        raise InputError(
            'The config needs a val_dataloader or a test_dataloader: images are scored with its '
            'pipeline.'
        )
    leaf = leaves(loader.dataset)[0]
    pipeline: list[dict[str, Any]] = copy.deepcopy(leaf['pipeline'])
    return pipeline


def reference_cfg(cfg: Config, reference: Any) -> dict[str, Any]:
    """Return the dataset config of a reference set.

    Args:
        cfg: The whole config.
        reference: 'val' for the dataset of ``val_dataloader``, or a dataset config.

    Raises:
        InputError: If it is anything else, or there is no val_dataloader.
    """
    if isinstance(reference, dict):
        return reference
    if reference != 'val':
        raise InputError(
            "StestHook: expected reference='val', 'initial', 'labeled', 'holdout' or a dataset "
            f'config, got {reference!r}.'
        )
    if cfg.get('val_dataloader') is None:
        raise InputError("StestHook(reference='val') needs a val_dataloader in the config.")
    dataset: dict[str, Any] = cfg.val_dataloader.dataset
    return dataset


def missing_files(paths: Iterable[str]) -> list[str]:
    """Return the paths that do not exist.

    Args:
        paths: Paths of local files; '' for an image without a file, which is not missing.
    """
    missing = []
    for path in paths:
        if path and not osp.exists(path):
            missing.append(path)
    return missing


def require_files(paths: Sequence[str], n_images: int, name: str) -> None:
    """Refuse a set of which image files are missing.

    Args:
        paths: Paths of its local image files.
        n_images: Number of its images.
        name: Name of the set in the error message.

    Raises:
        InputError: If a file does not exist.
    """
    missing = missing_files(paths)
    if missing:
        raise InputError(
            f'{len(missing)} of {n_images} image files of the {name} do not exist, e.g. '
            f'{missing[0]}.'
        )
