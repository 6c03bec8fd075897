"""Images that look alike, found without comparing every pair."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .perceptual_hash import SIDE, Fingerprint

RADIUS = 4
"""Number of bits by which the hashes of images that look alike may differ."""
TOLERANCE = 4.0
"""Mean difference that their thumbnails may have, in grey levels of 255."""
N_BANDS = RADIUS + 1
"""Number of bands that the bits of a hash are divided into."""
BANDS = [(64 * k // N_BANDS, 64 * (k + 1) // N_BANDS) for k in range(N_BANDS)]
"""First bit and end of each band. Hashes that differ in at most RADIUS bits agree in some band."""


class _Rows:
    """Row numbers in an array that grows."""

    def __init__(self) -> None:
        self._array: NDArray[np.int32] = np.empty(2, np.int32)
        self._n = 0

    def add(self, row: int) -> None:
        """Append a row number."""
        if self._n == len(self._array):
            self._array = np.concatenate([self._array, np.empty_like(self._array)])
        self._array[self._n] = row
        self._n += 1

    @property
    def array(self) -> NDArray[np.int32]:
        """The row numbers so far."""
        return self._array[: self._n]


def near_duplicate_groups(
    fingerprints: Iterable[Fingerprint | None], total: int
) -> NDArray[np.int32]:
    """Find for every image the first one it looks like.

    Each image is compared with the images before it that look like none themselves, so that a film
    of slowly changing pictures does not become one group from end to end.

    Args:
        fingerprints: Fingerprint of each image, in order; None where there is none. An image
            without one looks like nothing.
        total: Number of images.

    Returns:
        Row numbers, shape (total,). An image that looks like none before it has its own.
    """
    first = np.arange(total, dtype=np.int32)
    hashes = np.zeros(total, np.uint64)
    thumbnails = np.zeros((total, SIDE * SIDE), np.uint8)
    # One dict per band: rows of the images that look like none before them, by the band's bits.
    buckets: list[dict[int, _Rows]] = [{} for _ in BANDS]
    for row, fingerprint in enumerate(fingerprints):
        if fingerprint is None:
            continue
        hashes[row] = fingerprint.hash
        thumbnails[row] = np.frombuffer(fingerprint.thumbnail, np.uint8)
        keys = [_band_bits(fingerprint.hash, low, high) for low, high in BANDS]
        candidates = _candidates(buckets, keys)
        first[row] = _best_match(row, candidates, hashes, thumbnails)
        if first[row] == row:
            for bucket, key in zip(buckets, keys, strict=True):
                bucket.setdefault(key, _Rows()).add(row)
    return first


def _band_bits(image_hash: int, low: int, high: int) -> int:
    """The bits of a band as a number."""
    mask = (1 << (high - low)) - 1
    return (image_hash >> low) & mask


def _candidates(buckets: list[dict[int, _Rows]], keys: list[int]) -> list[NDArray[np.int32]]:
    """Rows that agree with an image in a band, one array per such band."""
    arrays = []
    for bucket, key in zip(buckets, keys, strict=True):
        if key in bucket:
            arrays.append(bucket[key].array)
    return arrays


def _best_match(
    row: int,
    candidates: list[NDArray[np.int32]],
    hashes: NDArray[np.uint64],
    thumbnails: NDArray[np.uint8],
) -> int:
    """The candidate that looks most like an image; the image itself if none does."""
    if not candidates:
        return row
    rows = np.concatenate(candidates)
    rows = rows[_count_ones(hashes[rows] ^ hashes[row]) <= RADIUS]
    if not len(rows):
        return row
    # In ascending order, so that of several equally near ones the first is taken.
    rows = np.unique(rows)
    difference = np.abs(thumbnails[rows].astype(np.int16) - thumbnails[row]).mean(1)
    best = int(difference.argmin())
    if difference[best] > TOLERANCE:
        return row
    return int(rows[best])


def _count_ones(words: NDArray[np.uint64]) -> NDArray[Any]:
    """Number of bits set in each word of 64 bits."""
    # numpy 1 has no bitwise_count.
    if hasattr(np, 'bitwise_count'):
        counts: NDArray[Any] = np.bitwise_count(words)
        return counts
    bits = np.unpackbits(words.view(np.uint8)).reshape(len(words), 64)
    return np.asarray(bits.sum(1))
