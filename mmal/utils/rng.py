from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def preserve_rng_state() -> Iterator[None]:
    """Whatever draws random numbers inside, generators are as before afterwards: nothing that follows depends on it."""
    states = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


@contextmanager
def seeded_rng(seed: int) -> Iterator[None]:
    """The processor's generators start from ``seed`` within, and are what they were afterwards."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    _seed_processor(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


def seed_all(seed: int) -> None:
    """Start all generators from ``seed``: Python's, numpy's and torch's, those of the GPUs in use, too."""
    _seed_processor(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


def _seed_processor(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
