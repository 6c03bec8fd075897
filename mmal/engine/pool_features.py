"""Features of the whole pool by the model of a finished round, for pictures of the pool."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmal.adapters.base import DetectorAdapter, ModelAdapter
from mmal.adapters.loading import Unreadable, batches
from mmal.utils.progress import track

from .round_runner import RunnerModel, round_cfg

if TYPE_CHECKING:
    from mmal.reporting.finished_round import SavedRound

BATCH_SIZE = 32
"""Images that go through the model at once."""


def pool_features(
    saved_round: SavedRound, layers: Sequence[str] | None, logger: logging.Logger
) -> tuple[list[Hashable], NDArray[Any], list[str]]:
    """Features of every pool image that can be read, by a finished round's model.

    Args:
        saved_round: The round.
        layers: Names of the modules whose outputs are the features. None: what goes into the last
            layers.
        logger: Receives the progress.

    Returns:
        Ids of the images, their features of shape (N, D), and the name of the class that the model
        is surest of in each; 'nothing' where a detector finds nothing.
    """
    adapter = _model_adapter(saved_round)
    pool = saved_round.pool
    ids = list(saved_round.data.row_index(pool))
    n_batches = -(-len(ids) // BATCH_SIZE)
    kept: list[Hashable] = []
    features: list[NDArray[Any]] = []
    classes: list[str] = []
    stream = batches(pool, range(len(ids)), BATCH_SIZE)
    for batch in track(stream, n_batches, 'features', logger):
        items = []
        for row, item in batch:
            if not isinstance(item, Unreadable):
                kept.append(ids[row])
                items.append(item)
        if not items:
            continue
        features += list(
            adapter.features(items, None if layers is None else list(layers)).cpu().numpy()
        )
        classes += [_surest_class(adapter, item, saved_round.data.classes) for item in items]
    return kept, np.stack(features), classes


def _model_adapter(saved_round: SavedRound) -> ModelAdapter:
    """The trained model of the round, in a Runner of its own."""
    cfg = round_cfg(
        saved_round.cfg,
        f'look_{saved_round.work_dir.name}',
        saved_round.work_dir / 'look',
        saved_round.paths.number,
        0,
        dict(type='EpochBasedTrainLoop', max_epochs=1),
    )
    cfg.launcher = 'none'
    saved_round.data.set_training_set(cfg, str(saved_round.paths.artifact('label')))
    checkpoint = saved_round.paths.artifact('train')
    return RunnerModel(cfg, checkpoint, saved_round.data.classes).adapter()


def _surest_class(adapter: Any, item: Any, classes: Sequence[str]) -> str:
    """Name of the class that the model is surest of in one image.

    Args:
        adapter: Adapter of the model.
        item: The image, as the pool's dataset returns it.
        classes: Names of the classes.
    """
    if isinstance(adapter, DetectorAdapter):
        instances = adapter.detect([item])[0]
        if not len(instances):
            return 'nothing'
        return str(classes[int(instances.labels[instances.scores.argmax()])])
    probabilities = adapter.probabilities([item])[0]
    # With several labels there is one row per class; its first column is "the class is there".
    of_classes = probabilities[:, 0] if adapter.multi_label else probabilities[0]
    return str(classes[int(of_classes.argmax())])
