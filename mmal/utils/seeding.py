"""Numbers and seeds derived from the seed of a run, the same in every process and machine."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable


def uniform(image_id: Hashable, seed: int, purpose: str) -> float:
    """Draw a number that belongs to an image alone, whatever other images there are.

    Args:
        image_id: Id of the image.
        seed: Seed of the run.
        purpose: Name of what the number is for; each purpose has numbers of its own.

    Returns:
        A number in [0, 1).
    """
    digest = hashlib.sha256(f'{seed}/{purpose}/{image_id!r}'.encode()).digest()
    return int.from_bytes(digest[:8], 'big') / 2**64


def derive_seed(seed: int, purpose: str) -> int:
    """Derive a seed for one purpose.

    Args:
        seed: Seed of the run.
        purpose: Name of what the seed is for; each purpose has a seed of its own.

    Returns:
        A seed of 31 bits.
    """
    digest = hashlib.sha256(f'{seed}/{purpose}'.encode()).digest()
    return int.from_bytes(digest[:4], 'big') >> 1
