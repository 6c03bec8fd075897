"""Images that look alike, found without comparing every pair."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .perceptual_hash import SIDE, Fingerprint

RADIUS = 4
"""Bits by which the hashes of look-alikes may differ."""
TOLERANCE = 4.0
"""Mean difference of their thumbnails, in grey levels of 255."""
BANDS = [(64 * k // (RADIUS + 1), 64 * (k + 1) // (RADIUS + 1)) for k in range(RADIUS + 1)]
"""Hashes that differ in at most RADIUS bits agree in one of RADIUS + 1 bands of bits at least."""


class _Rows:
    """A list of row numbers in an array that grows."""

    def __init__(self) -> None:
        self._array, self._n = np.empty(2, np.int32), 0

    def add(self, row: int) -> None:
        if self._n == len(self._array):
            self._array = np.concatenate([self._array, np.empty_like(self._array)])
        self._array[self._n] = row
        self._n += 1

    @property
    def array(self) -> np.ndarray:
        return self._array[: self._n]


def near_duplicate_groups(prints: Iterable[Fingerprint | None], total: int) -> np.ndarray:
    """For every image, the first one it looks like.

    Each is compared with the images before it that look like none themselves, so that a film of slowly changing
    pictures does not become one group from end to end.

    Args:
        prints: Of each image, in order; None where there is none, which looks like nothing.
        total: How many there are.

    Returns:
        Row numbers, shape (total,); its own for an image that looks like none before it.
    """
    first = np.arange(total, dtype=np.int32)
    hashes, thumbnails = np.zeros(total, np.uint64), np.zeros((total, SIDE * SIDE), np.uint8)
    buckets: list[dict[int, _Rows]] = [{} for _ in BANDS]
    for row, found in enumerate(prints):
        if found is None:
            continue
        hashes[row], thumbnails[row] = found.hash, np.frombuffer(found.thumbnail, np.uint8)
        places = [
            (bucket, found.hash >> low & (1 << high - low) - 1)
            for bucket, (low, high) in zip(buckets, BANDS, strict=True)
        ]
        first[row] = _match(row, [b[v].array for b, v in places if v in b], hashes, thumbnails)
        if first[row] == row:
            for bucket, value in places:
                bucket.setdefault(value, _Rows()).add(row)
    return first


def _match(
    row: int, candidates: list[np.ndarray], hashes: np.ndarray, thumbnails: np.ndarray
) -> int:
    """The candidate that looks most like an image; the image itself if none does."""
    if not candidates:
        return row
    rows = np.concatenate(candidates)
    rows = rows[_ones(hashes[rows] ^ hashes[row]) <= RADIUS]
    if not len(rows):
        return row
    rows = np.unique(rows)  # of several as near, the first
    difference = np.abs(thumbnails[rows].astype(np.int16) - thumbnails[row]).mean(1)
    best = int(difference.argmin())
    return int(rows[best]) if difference[best] <= TOLERANCE else row


def _ones(words: np.ndarray) -> np.ndarray:
    """Bits set in each of these words of 64 bits."""
    if hasattr(np, 'bitwise_count'):  # numpy 2
        return np.bitwise_count(words)
    return np.unpackbits(words.view(np.uint8)).reshape(len(words), 64).sum(1)
