import pytest
import torch

from mmal.samplers.algorithms import kmeans_pp as module
from mmal.samplers.algorithms.kmeans_pp import kmeans_pp


def plain(points, k, seed):
    """Of ordinary vectors."""
    return kmeans_pp(torch.ones(len(points), 1), points, k, seed)


def test_the_longest_first_then_far_ones_by_squared_distance():
    points = torch.tensor([[0.0], [1.0], [-4.0], [2.0]])
    chosen, distance = plain(points, 2, seed=0)
    assert chosen[0] == 2
    assert distance.tolist() == [min((x - points[i, 0].item())**2 for i in chosen) for x in points[:, 0].tolist()]
    seconds = torch.tensor([plain(points, 2, seed)[0][1] for seed in range(3000)])
    share = torch.bincount(seconds, minlength=4) / 3000
    assert share.tolist() == pytest.approx([16 / 77, 25 / 77, 0, 36 / 77], abs=0.03)


def test_copies_are_drawn_last_and_each_once():
    points = torch.tensor([[1.0, 0], [1, 0], [0, 2], [1, 0]])
    for seed in range(20):
        chosen, _ = plain(points, 4, seed)
        assert sorted(chosen) == [0, 1, 2, 3]
        assert chosen[0] == 2


def test_of_outer_products_it_is_that_of_the_products_themselves():
    left, right = torch.randn(60, 5), torch.randn(60, 9)
    dense = (left[:, :, None] * right[:, None]).flatten(1)
    chosen, distance = kmeans_pp(left, right, 12, seed=3)
    expected, expected_distance = plain(dense, 12, seed=3)
    assert chosen == expected
    torch.testing.assert_close(distance, expected_distance, rtol=1e-4, atol=1e-4)
    exact = torch.cdist(dense.double(), dense[chosen].double()).amin(1).square()
    torch.testing.assert_close(distance.double(), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('size', [1.0, 100.0])
def test_small_distances_of_outer_products_keep_their_digits(size):
    """By |a|^2 |b|^2 - 2 (a.a')(b.b') + ... they would be lost in float32."""
    left, right = (size * torch.randn(1, n) + 1e-4 * torch.randn(40, n) for n in (6, 7))
    left[7], right[7] = left[3], right[3]
    distance = module._squared_distance(left, right, right.square().sum(1), 3)
    dense = (left.double()[:, :, None] * right.double()[:, None]).flatten(1)
    torch.testing.assert_close(distance.double(), (dense - dense[3]).square().sum(1), rtol=1e-3, atol=0)
    assert distance[3] == distance[7] == 0


def test_nothing_as_large_as_the_products_is_made():
    """O(N (A + B)) memory: the products would take 200 times as much as is allowed here."""
    left, right = torch.randn(300, 400), torch.randn(300, 500)
    largest = [0]

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                largest[0] = max(largest[0], result.numel())
            return result

    with Watch():
        kmeans_pp(left, right, 4, seed=0)
    assert largest[0] <= 300 * 500
