"""Fill a feature cache: one pass of the pretrained model over all images of a config."""

from __future__ import annotations

import copy
import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import load_checkpoint
from torch import nn

from mmal.adapters import build_data_adapter, build_model_adapter
from mmal.adapters.base import ClassifierData, DataAdapter
from mmal.adapters.loading import Unreadable, batches
from mmal.errors import InputError
from mmal.fileio.checksummed import digest_bytes, digest_file
from mmal.fileio.text import write_json
from mmal.run.feature_cache import EVALUATION, POOL, REFERENCE, FeatureCache
from mmal.utils.config import flat
from mmal.utils.progress import track
from mmal.utils.rng import seeded_rng

from .checkpoint_models import build_model
from .hooks.stest_hook import find_stest_hook

FLUSH_SECONDS = 30.0
"""Seconds for which features are held in memory before they are written."""

KEPT_REFERENCES = ('initial', 'labeled', 'holdout')
"""Reference sets that are a part of what a run has labeled: they need no features of their own."""


@dataclass(frozen=True)
class _Set:
    """One set of images.

    Attributes:
        name: Name of the set.
        dataset: Its dataset, as at test time.
        ids: Id of each image.
        labels: Class index of each image, or None.
        digests: Checksum of each image, or None for a file that cannot be read.
    """

    name: str
    dataset: Any
    ids: Sequence[Any]
    labels: Sequence[int | None]
    digests: Sequence[str | None]


def extract_features(
    cfg: Config, folder: Path, layers: Sequence[str], batch_size: int, log: Logger
) -> FeatureCache:
    """Compute the features of all images of a config that are not there yet.

    The model has its pretrained weights: those of ``init_cfg``, or of ``load_from``.

    Args:
        cfg: The whole config of a classifier.
        folder: Folder of the cache.
        layers: Names of the modules whose outputs are averaged over space and concatenated.
        batch_size: Number of images that go through the model at once.
        log: Receives the progress.

    Returns:
        The cache.

    Raises:
        InputError: If the config is of a detector or of a classifier with several labels, has no
            evaluation set, or the folder has features of another model.
    """
    data = build_data_adapter(cfg)
    _require_one_label(data)
    folder.mkdir(parents=True, exist_ok=True)
    model = _pretrained(cfg)
    cache = FeatureCache(folder)
    cache.open_for(_description(cfg, model, layers))
    sets = _sets(cfg, data, folder)
    for part in sets:
        cache.write_set(part.name, part.ids, part.digests, part.labels, data.classes)
    adapter = build_model_adapter(model, cfg)
    known = cache.digests()
    for part in sets:
        _fill(cache, adapter, part, known, list(layers), batch_size, log)
    return cache


def _require_one_label(data: DataAdapter) -> None:
    if not isinstance(data, ClassifierData) or data.several_labels:
        kind = 'a detector' if data.has_boxes else 'a classifier with several labels per image'
        raise InputError(
            f'Cached features are for classifiers with one label per image, and this config is of '
            f'{kind}. Run its comparison without --features.'
        )


def _pretrained(cfg: Config) -> nn.Module:
    """The config's model with its pretrained weights, in eval mode."""
    with seeded_rng(0):
        model: Any = build_model(cfg)
        if hasattr(model, 'init_weights'):
            model.init_weights()
    if cfg.get('load_from'):
        load_checkpoint(model, cfg.load_from, map_location='cpu')
    placed: nn.Module = model.to(get_device()).eval()
    return placed


def _description(cfg: Config, model: nn.Module, layers: Sequence[str]) -> dict[str, Any]:
    """What features depend on: layers, weights, and how images are loaded."""
    weights = hashlib.sha256()
    for name, value in model.state_dict().items():
        if name.startswith('head.'):
            continue
        weights.update(name.encode())
        weights.update(np.ascontiguousarray(value.cpu().numpy()).tobytes())
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or cfg.train_dataloader
    pipeline = flat(dict(pipeline=loader.dataset.get('pipeline')))
    preprocessor = flat(cfg.get('data_preprocessor') or cfg.model.get('data_preprocessor'))
    return dict(
        type=type(model).__name__,
        weights=weights.hexdigest(),
        layers=list(layers),
        pipeline=pipeline,
        data_preprocessor=preprocessor,
    )


def _sets(cfg: Config, data: Any, folder: Path) -> list[_Set]:
    """Pool, reference set and evaluation set of a config."""
    pool_file = folder / 'pool_ids.json'
    write_json(pool_file, data.pool_contents(), indent=None)
    pool = data.pool_dataset(str(pool_file))
    ids = list(data.row_index(pool))
    label_of = {entry['id']: entry['label'] for entry in data.ground_truth(data.annotated_ids)}
    labels = [label_of.get(image_id) for image_id in ids]
    sets = [_Set(POOL, pool, ids, labels, _digests(data.image_names(pool)))]
    beside = {EVALUATION: _evaluation_cfg(cfg)}
    reference = _reference(cfg)
    if reference is not None:
        beside[REFERENCE] = reference
    for name, reference_cfg in beside.items():
        dataset = data.reference_dataset(reference_cfg)
        names = data.image_names(dataset)
        sets.append(_Set(name, dataset, names, data.image_labels(dataset), _digests(names)))
    return sets


def _evaluation_cfg(cfg: Config) -> Any:
    for name in ('test_dataloader', 'val_dataloader'):
        if cfg.get(name) is not None:
            return copy.deepcopy(cfg[name].dataset)
    raise InputError(
        'The config has neither test_dataloader nor val_dataloader, so there is nothing to measure '
        'on. Give one of them.'
    )


def _reference(cfg: Config) -> Any:
    """The reference set of the config's StestHook: 'val', or a dataset config; None if it is a part
    of what a run has labeled, or there is no StestHook.
    """
    hook = find_stest_hook(cfg)
    if hook is None:
        return None
    reference = hook.get('reference', 'val')
    return None if reference in KEPT_REFERENCES else reference


def _digests(names: Sequence[str]) -> list[str | None]:
    """Checksum of each image, by the content of a local file, else by its name."""
    digests: list[str | None] = []
    for name in names:
        if os.path.isfile(name):
            digests.append(digest_file(name))
        elif os.path.isabs(name):
            digests.append(None)
        else:
            digests.append(digest_bytes(name.encode(errors='surrogateescape')))
    return digests


def _fill(
    cache: FeatureCache,
    adapter: Any,
    part: _Set,
    known: set[str],
    layers: list[str],
    batch_size: int,
    log: Logger,
) -> None:
    """Compute what is missing of one set, each content once."""
    digest_of: dict[int, str] = {}
    for row, digest in enumerate(part.digests):
        if digest is not None and digest not in known:
            known.add(digest)
            digest_of[row] = digest
    log.info(f'{part.name}: {len(part.digests)} images, {len(digest_of)} of them to compute.')
    n_batches = -(-len(digest_of) // batch_size)
    held_digests: list[str] = []
    held_vectors: list[Any] = []
    last_flush = time.monotonic()
    stream = batches(part.dataset, list(digest_of), batch_size)
    for batch in track(stream, n_batches, f'features of the {part.name}', log):
        rows = []
        items = []
        for row, item in batch:
            if isinstance(item, Unreadable):
                raise InputError(
                    f'An image of the {part.name} cannot be read: {item.reason}. Mend it or leave '
                    'it out of the set, then call this again.'
                )
            rows.append(row)
            items.append(item)
        held_vectors.append(adapter.features(items, layers).float().cpu().numpy())
        held_digests += [digest_of[row] for row in rows]
        if time.monotonic() - last_flush > FLUSH_SECONDS:
            cache.add(held_digests, np.concatenate(held_vectors))
            held_digests, held_vectors, last_flush = [], [], time.monotonic()
    if held_digests:
        cache.add(held_digests, np.concatenate(held_vectors))
