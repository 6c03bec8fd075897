"""Find one's way in the dataset part of a config."""

from __future__ import annotations

import copy
from typing import Any

from mmal.errors import InputError


def leaf_dataset(cfg: dict) -> dict:
    """The one dataset inside wrappers such as RepeatDataset.

    Raises:
        InputError: If there are several.
    """
    if 'datasets' in cfg:
        if len(cfg['datasets']) != 1:
            raise InputError(
                f'The pool is one dataset, but train_dataloader.dataset is a {cfg["type"]} of '
                f'{len(cfg["datasets"])}. Merge their annotation files into one and use a single dataset.'
            )
        return leaf_dataset(cfg['datasets'][0])
    return leaf_dataset(cfg['dataset']) if 'dataset' in cfg else cfg


def leaves(cfg: dict) -> list[dict]:
    """All datasets inside wrappers."""
    inner = cfg.get('datasets') or ([cfg['dataset']] if 'dataset' in cfg else [])
    return [leaf for c in inner for leaf in leaves(c)] if inner else [cfg]


def pool_leaf(cfg) -> dict:
    """The dataset that is the pool.

    Raises:
        InputError: If there are several, or a part of it is hidden.
    """
    leaf = leaf_dataset(cfg.train_dataloader.dataset)
    if leaf.get('indices') is not None:
        raise InputError(
            'train_dataloader.dataset.indices would hide a part of the pool: remove it.'
        )
    return leaf


def test_pipeline(cfg) -> list[dict]:
    """The pipeline images are scored with: that of the validation set, or of the test set.

    Raises:
        InputError: If there is neither.
    """
    source = cfg.get('val_dataloader') or cfg.get('test_dataloader')
    if source is None:
        raise InputError(
            'The config needs a val_dataloader or a test_dataloader: images are scored with its '
            'pipeline.'
        )
    return copy.deepcopy(leaves(source.dataset)[0]['pipeline'])


def reference_cfg(cfg, reference: Any) -> dict:
    """Dataset config of a reference set: 'val', or a dataset config of one's own.

    Raises:
        InputError: If it is anything else, or there is no val_dataloader.
    """
    if isinstance(reference, dict):
        return reference
    if reference != 'val':
        raise InputError(
            "StestHook: expected reference='val', 'initial', 'labeled', 'holdout' or a dataset config, "
            f'got {reference!r}.'
        )
    if cfg.get('val_dataloader') is None:
        raise InputError("StestHook(reference='val') needs a val_dataloader in the config.")
    return cfg.val_dataloader.dataset
