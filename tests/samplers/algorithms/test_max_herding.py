import pytest
import torch

from mmal.samplers.algorithms import max_herding as module
from mmal.samplers.algorithms.max_herding import gaussian_kernel, least_distance, max_herding


def by_the_book(points, targets, centers, k, radius, weights):
    """Algorithm 1 of the paper with the whole kernel, in float64: the gain of every candidate in every step."""
    points, targets, centers = points.double(), targets.double(), centers.double()
    kernel = torch.exp(-(torch.cdist(points, targets) / radius) ** 2)
    covered = torch.zeros(len(targets), dtype=torch.float64)
    if len(centers):
        covered = torch.exp(-(torch.cdist(centers, targets) / radius) ** 2).amax(0)
    chosen, gains = [], []
    for _ in range(k):
        gain = ((kernel - covered).clamp(min=0) * weights).mean(1)
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        gains.append(float(gain.max()))
        covered = torch.maximum(covered, kernel[chosen[-1]])
    return chosen, torch.tensor(gains), ((kernel - covered).clamp(min=0) * weights).mean(1)


@pytest.mark.parametrize('blocks', [(2048, 64), (7, 3)])
@pytest.mark.parametrize(('n_centers', 'radius', 'weighted'), [(0, 1.0, False), (17, 0.7, False), (5, 1.0, True)])
def test_equals_the_algorithm_with_the_whole_kernel(monkeypatch, blocks, n_centers, radius, weighted):
    monkeypatch.setattr(module, 'BLOCK', blocks[0])
    monkeypatch.setattr(module, 'LAZY_BLOCK', blocks[1])
    points, targets, centers = (torch.nn.functional.normalize(torch.randn(n, 6), dim=1) for n in (200, 90, n_centers))
    weights = torch.rand(90) if weighted else torch.ones(90)
    chosen, gains = max_herding(points, targets, centers, 30, radius, weights if weighted else None)
    expected, expected_gains, left = by_the_book(points, targets, centers, 30, radius, weights)
    assert chosen == expected
    torch.testing.assert_close(gains[chosen], expected_gains.float(), rtol=1e-4, atol=1e-6)
    assert (gains[chosen].diff() <= 1e-7).all(), 'coverage is submodular'
    rest = [i for i in range(200) if i not in chosen]
    torch.testing.assert_close(gains[rest], left[rest].float(), rtol=1e-4, atol=1e-6)


def test_few_candidates_are_computed_anew(monkeypatch):
    """What makes it fast: without bounds, every step would compute the gains of all candidates."""
    computed = []
    monkeypatch.setattr(module, '_gains', lambda points, *rest, original=module._gains:
                        computed.append(len(points)) or original(points, *rest))
    points = torch.nn.functional.normalize(torch.randn(3000, 8), dim=1)
    max_herding(points, points[:300], points[:0], 20)
    assert sum(computed[1:-1]) < 20 * 3000 / 3


def test_a_copy_adds_nothing_and_of_copies_the_lowest_row_is_taken():
    directions = torch.nn.functional.normalize(torch.randn(4, 512), dim=1)
    points = torch.cat([directions, directions])
    chosen, gains = max_herding(points, points, directions[:1], 8)
    assert sorted(chosen[:3]) == [1, 2, 3]
    assert chosen[3:] == [0, 4, 5, 6, 7]
    assert gains[[0, 4, 5, 6, 7]].tolist() == [0] * 5


def test_a_kernel_is_one_for_copies_and_a_share_of_e_at_the_radius():
    a = torch.tensor([[1.0, 0.0]])
    b = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    torch.testing.assert_close(gaussian_kernel(a, b, 2 ** 0.5)[0], torch.tensor([1.0, torch.e ** -1]))


@pytest.mark.parametrize(('n', 'k', 'expected'), [(3, 9, 3), (3, 0, 0), (0, 2, 0)])
def test_more_is_asked_than_there_is_or_nothing(n, k, expected):
    points = torch.eye(4)[:n]
    chosen, gains = max_herding(points, torch.eye(4), torch.empty(0, 4), k)
    assert len(chosen) == expected
    assert len(gains) == n


@pytest.mark.parametrize('block', [2048, 7])
def test_the_least_distance_is_that_of_two_that_differ(monkeypatch, block):
    monkeypatch.setattr(module, 'BLOCK', block)
    points = torch.nn.functional.normalize(torch.randn(40, 6), dim=1)
    expected = float(torch.pdist(points.double()).min())
    assert least_distance(torch.cat([points, points[:9]])) == pytest.approx(expected, rel=1e-4)
    assert least_distance(points[:1]) is None
    assert least_distance(points[:0]) is None
    assert least_distance(points[[3, 3]]) is None
