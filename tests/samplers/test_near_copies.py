"""Which vectors are near-copies: against the definition, one pair at a time, and where features tell images badly."""

import numpy as np
import pytest
import torch

from mmal.samplers import near_copies
from mmal.samplers.near_copies import MIN_COMPARED, DistinctVectors, NearCopyRule


def by_definition(vectors, mean, max_cosine):
    """The same in float64, without blocks."""
    vectors, mean = np.asarray(vectors, dtype=float), np.asarray(mean, dtype=float)
    kept, originals = [], []
    for row, vector in enumerate(vectors):
        distances = sorted((np.linalg.norm(vector - vectors[other]), other) for other in kept)
        original = None
        if distances:
            distance, nearest = distances[0]
            a, b = vector - mean, vectors[nearest] - mean
            cosine = a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12)
            is_near = len(kept) >= MIN_COMPARED and cosine > max_cosine and distance <= 0.5 * distances[1][0]
            if is_near or distance <= 1e-5 * np.linalg.norm(vector):
                original = nearest
        if original is None:
            kept.append(row)
        originals.append(original)
    return originals


def with_copies(seed, n=120, dim=8, noise=0.2):
    """Half of the vectors are others with noise of growing size on them."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, dim)) + 3
    for row in range(n // 2, n):
        vectors[row] = vectors[rng.integers(n // 2)] + noise * rng.random() * rng.normal(size=dim)
    return torch.tensor(vectors[np.r_[:20, 20 + rng.permutation(n - 20)]], dtype=torch.float32)


@pytest.mark.parametrize('block', [1, 7, 256])
@pytest.mark.parametrize('seed', range(4))
def test_copies_are_those_of_the_definition_whatever_the_blocks(seed, block, monkeypatch):
    monkeypatch.setattr(near_copies, 'BLOCK', block)
    vectors = with_copies(seed)
    distinct = DistinctVectors(vectors.mean(0), 0.9)
    found = distinct.add(vectors[:50]) + distinct.add(vectors[50:])
    assert found == by_definition(vectors, vectors.mean(0), 0.9)
    assert 30 < sum(original is not None for original in found) < 65


def test_a_whole_burst_is_a_copy_of_its_first_image():
    vectors = torch.randn(30, 8, generator=torch.Generator().manual_seed(0))
    burst = vectors[3] + 0.01 * torch.randn(6, 8, generator=torch.Generator().manual_seed(1))
    assert DistinctVectors(torch.zeros(8), 0.9).add(torch.cat([vectors, burst]))[30:] == [3] * 6


def test_equal_vectors_are_copies_where_nothing_else_is_known():
    vectors = torch.full((4, 3), 2.0)
    assert DistinctVectors(vectors.mean(0), 0.9).add(vectors) == [None, 0, 0, 0], 'the mean itself has no cosine'


@pytest.mark.parametrize(('noise', 'collapsed'), [(0.3, 0.1), (0.05, 0.8)])
def test_features_that_collapse_to_a_line_leave_almost_all_images_in(noise, collapsed):
    """Those of a model that has learned little: one direction has nearly all of the variance, many cosines are 1."""
    rng = torch.Generator().manual_seed(0)
    line = torch.randn(300, 1, generator=rng) * torch.ones(64)
    vectors = 50 + line + noise * torch.randn(300, 64, generator=rng)
    centered = vectors - vectors.mean(0)
    cosines = torch.nn.functional.cosine_similarity(centered[None], centered[:, None], dim=2)
    assert float((cosines.abs() > 0.9).float().mean()) > collapsed
    copies = vectors[:20] + 0.1 * noise * torch.randn(20, 64, generator=rng)
    found = DistinctVectors(vectors.mean(0), 0.9).add(torch.cat([vectors, copies]))
    assert sum(original is not None for original in found[:300]) <= 15, 'one in twenty'
    assert sum(original == number for number, original in enumerate(found[300:])) >= 18, 'copies are still found'


def test_features_that_collapse_to_a_point_for_each_class_leave_almost_all_images_in():
    rng = torch.Generator().manual_seed(0)
    classes = torch.randn(4, 32, generator=rng)
    vectors = classes.repeat(50, 1) + 0.1 * torch.randn(200, 32, generator=rng)
    found = DistinctVectors(vectors.mean(0), 0.9).add(vectors)
    assert sum(original is not None for original in found) <= 4


@pytest.mark.parametrize('bad', [1.0, -1.5])
def test_a_cosine_out_of_range(bad):
    with pytest.raises(ValueError, match='SomeSampler: expected -1 <= max_cosine < 1'):
        NearCopyRule('SomeSampler', bad, None, None)
