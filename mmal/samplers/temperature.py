"""The temperature at which a classifier's probabilities fit the reference set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmal.adapters.base import ClassifierAdapter, FittedHead, ImageId
from mmal.adapters.frozen_head.logistic_regression import best_temperature
from mmal.distributed.rank_zero import run_on_rank_zero

from .base import ImageIds, Query
from .pool_pass import run_over_pool
from .predicted_features import of_classes

MAX_IMAGES = 2000
"""Images of the reference set that are looked at; evenly spaced ones of a larger set."""
LEAST_PROBABILITY = 1e-30
"""Probability that takes the place of a smaller one, whose logarithm may be infinite."""


def fit_temperature(query: Query, batch_size: int | None) -> float:
    """Find the temperature of the least mean loss on the reference set. Every process calls it.

    Probabilities of a head that was fitted to convergence are calibrated already.

    Args:
        query: The query whose model and reference set are used.
        batch_size: Number of images per batch; None for that of the query.

    Returns:
        What outputs are to be divided by, from 0.5 to 20; 1 for a head that was fitted, and where
        there is no reference set.
    """
    adapter = query.adapter()
    if isinstance(adapter, FittedHead) or query.reference_images is None:
        return 1.0
    assert isinstance(adapter, ClassifierAdapter)
    several = adapter.multi_label

    def predict_batch(batch_ids: ImageIds, items: list[Any]) -> list[tuple[Any, Any]]:
        probabilities = [of_classes(p, several) for p in adapter.probabilities(items)]
        targets = adapter.targets(items).numpy()
        return list(zip(probabilities, targets, strict=True))

    dataset: Any = query.reference_images()
    step = -(-len(dataset) // MAX_IMAGES) or 1
    row_of_id: dict[ImageId, int] = {row: row for row in range(0, len(dataset), step)}
    beside = replace(
        query,
        ids=list(row_of_id),
        images=lambda: (dataset, row_of_id),
        pass_dir=query.pass_dir / 'temperature',
        pass_count=0,
    )
    findings, _ = run_over_pool(beside, predict_batch, beside.ids, 'temperature', batch_size)

    def fit() -> float:
        finite = [pair for pair in findings.values() if np.isfinite(pair[0]).all()]
        if not finite:
            return 1.0
        outputs = _outputs(torch.from_numpy(np.stack([p for p, _ in finite])), several)
        targets = np.stack([target for _, target in finite])
        return best_temperature(outputs.numpy(), targets, several)

    # Rank 0 alone has findings.
    temperature = run_on_rank_zero(fit)
    query.logger.info(f'Temperature of the probabilities: {temperature:.3g}.')
    return temperature


def at_temperature(probabilities: Tensor, temperature: float, several: bool) -> Tensor:
    """Turn probabilities into those of outputs that are divided by a temperature.

    Args:
        probabilities: Probability of each class, shape (N, C).
        temperature: The temperature.
        several: Whether an image may have several classes.

    Returns:
        Shape (N, C), float64.
    """
    outputs = _outputs(probabilities, several) / temperature
    return outputs.sigmoid() if several else outputs.softmax(1)


def _outputs(probabilities: Tensor, several: bool) -> Tensor:
    """Outputs that have such probabilities; of a softmax, those with a log-sum-exp of 0."""
    p = probabilities.double().clamp(min=LEAST_PROBABILITY)
    if not several:
        return p.log()
    return p.log() - (1 - p).clamp(min=LEAST_PROBABILITY).log()
