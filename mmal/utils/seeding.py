from __future__ import annotations

import hashlib
from collections.abc import Hashable


def uniform(image_id: Hashable, seed: int, purpose: str) -> float:
    """A number in [0, 1) that belongs to this id alone."""
    digest = hashlib.sha256(f'{seed}/{purpose}/{image_id!r}'.encode()).digest()
    return int.from_bytes(digest[:8], 'big') / 2**64


def derive_seed(seed: int, purpose: str) -> int:
    """A seed of 31 bits for one purpose, from the seed of the run."""
    return int.from_bytes(hashlib.sha256(f'{seed}/{purpose}'.encode()).digest()[:4], 'big') >> 1
