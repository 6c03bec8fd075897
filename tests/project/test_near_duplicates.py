"""Groups by bands are those of comparing every pair."""

import numpy as np
import pytest

from mmal.project import near_duplicates as module
from mmal.project.near_duplicates import RADIUS, near_duplicate_groups
from mmal.project.perceptual_hash import SIDE, Fingerprint

FLAT = bytes(SIDE * SIDE)


def by_all_pairs(prints):
    first, leaders = [], []
    for row, found in enumerate(prints):
        near = [at for at in leaders if (prints[at].hash ^ found.hash).bit_count() <= RADIUS]
        first.append(near[0] if near else row)
        leaders += [] if near else [row]
    return first


@pytest.mark.parametrize('ones', [True, False], ids=['numpy 2', 'numpy 1'])
def test_bands_find_what_comparing_all_pairs_finds(ones, monkeypatch):
    if not ones:
        monkeypatch.delattr(np, 'bitwise_count')
    rng = np.random.default_rng(0)
    centers = [int(x) for x in rng.integers(0, 2**63, 20)]
    hashes = [centers[rng.integers(20)] for _ in range(300)]
    for n in range(300):
        for bit in rng.choice(64, rng.integers(0, 8), replace=False):
            hashes[n] ^= 1 << int(bit)
    prints = [Fingerprint(h, FLAT) for h in hashes]
    found = near_duplicate_groups(prints, len(prints)).tolist()
    assert found == by_all_pairs(prints)
    assert len(set(found)) > 20  # some are too far from all centers


def test_a_slow_film_is_not_one_group():
    hashes = [(1 << n) - 1 for n in range(12)]  # each frame differs in a bit from the one before
    assert near_duplicate_groups([Fingerprint(h, FLAT) for h in hashes], 12).tolist() == [0] * 5 + [5] * 5 + [10] * 2


def test_equal_hashes_of_different_thumbnails_are_not_alike_and_none_is_like_nothing():
    bright = bytes([200] * SIDE * SIDE)
    prints = [Fingerprint(5, FLAT), None, Fingerprint(5, bright), Fingerprint(5, FLAT), None]
    assert near_duplicate_groups(prints, 5).tolist() == [0, 1, 2, 0, 4]


def test_buckets_grow():
    rows = module._Rows()
    for n in range(9):
        rows.add(n)
    assert rows.array.tolist() == list(range(9))
