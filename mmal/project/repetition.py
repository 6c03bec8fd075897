"""How often an epoch goes through the few labeled images of a project."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from mmengine.registry import DefaultScope

from mmal.engine.epoch_length import epoch_length
from mmal.utils.config import warmup_iters

from .base_config import BaseConfig, type_name

MIN_ITERATIONS = 1200
"""Least number of iterations of the first training: 12 epochs of 100."""
MIN_WARMUPS = 3
"""Least length of the first training as a multiple of its warm-up."""


@dataclass(frozen=True)
class Repetition:
    """How often an epoch goes through the labeled images, where once is not enough.

    A config made for many images would end the first training, on few, before its learning rate is
    warm.

    Attributes:
        times: Number of times.
        n_images: Number of images of the first training.
        iterations: Number of iterations that the first training has so, in one process.
    """

    times: int
    n_images: int
    iterations: int


def find_repetition(base: BaseConfig, n_images: int) -> Repetition | None:
    """Find the least repetition that gives the first training its least number of iterations.

    Args:
        base: Config that a project inherits.
        n_images: Number of images of the first training.

    Returns:
        The repetition; None if once is enough, or the config does not count by passes through the
        images.
    """
    epochs = base.length.get('max_epochs', 0)
    loader = base.cfg.train_dataloader
    if not epochs or base.train.repeated or loader.get('num_batch_per_epoch'):
        return None
    # It asks the dataset for its classes, which a RepeatDataset does not tell.
    if type_name(loader.sampler.type) == 'ClassAwareSampler':
        return None

    def iterations(times: int) -> int:
        return epochs * epoch_length(loader, range(times * n_images))

    least = max(MIN_ITERATIONS, MIN_WARMUPS * warmup_iters(base.cfg.get('param_scheduler')))
    with DefaultScope.overwrite_default_scope(base.cfg.default_scope):
        if iterations(1) >= least:
            return None
        enough = 2
        while iterations(enough) < least:
            enough *= 2
        times = bisect_left(range(enough), least, lo=enough // 2, key=iterations)
        return Repetition(times, n_images, iterations(times))
