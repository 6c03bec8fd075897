"""Contexts that seed or preserve the random number generators of Python, numpy and torch."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def preserve_rng_state() -> Iterator[None]:
    """Restore all generators on leaving, so that nothing that follows depends on what was drawn.

    Covers Python's and numpy's global generators, torch's on the CPU and, once CUDA is in use,
    torch's on every GPU.
    """
    python_state = random.getstate()
    numpy_state = np.random.get_state()
    devices = range(torch.cuda.device_count()) if _uses_cuda() else ()
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


@contextmanager
def seeded_rng(seed: int) -> Iterator[None]:
    """Seed the CPU's generators (Python's, numpy's and torch's) and restore them on leaving.

    Generators of GPUs are left alone.

    Args:
        seed: Seed of all three generators, at most 32 bits.
    """
    python_state = random.getstate()
    numpy_state = np.random.get_state()
    torch_state = torch.get_rng_state()
    _seed_cpu(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        torch.set_rng_state(torch_state)


@contextmanager
def preserve_torch_rng_state() -> Iterator[None]:
    """Restore torch's generators of the CPU and, once CUDA is in use, of the current GPU.

    Their states lie on the host: nothing waits for the GPU.
    """
    generators = _torch_generators()
    states = [generator.get_state() for generator in generators]
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


@contextmanager
def keyed_rng(key: Hashable) -> Iterator[None]:
    """Make torch's random numbers depend on a key alone, and restore the generators on leaving.

    Seeds and restores the generators of :func:`preserve_torch_rng_state`.

    Args:
        key: What the random numbers belong to, for instance an image id.
    """
    with preserve_torch_rng_state():
        seed = seed_of(key)
        for generator in _torch_generators():
            generator.manual_seed(seed)
        yield


def seed_of(key: Hashable) -> int:
    """Derive a seed from a key.

    Args:
        key: Anything whose text identifies it, for instance an image id.

    Returns:
        A seed of 32 bits: the first four bytes of the SHA-256 of the key's text.
    """
    digest = hashlib.sha256(str(key).encode()).digest()
    return int.from_bytes(digest[:4], 'little')


def seed_all(seed: int) -> None:
    """Seed all generators: Python's, numpy's and torch's, including those of the GPUs in use.

    Args:
        seed: Seed of every generator, at most 32 bits.
    """
    _seed_cpu(seed)
    if _uses_cuda():
        torch.cuda.manual_seed_all(seed)


def _torch_generators() -> list[torch.Generator]:
    """Generators that this process draws from: the CPU's, and the current GPU's if it is in use."""
    generators = [torch.default_generator]
    if _uses_cuda():
        current = torch.cuda.current_device()
        generators.append(torch.cuda.default_generators[current])
    return generators


def _uses_cuda() -> bool:
    # torch leaves this function untyped.
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def _seed_cpu(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
