import pytest
import torch

from mmal.samplers.algorithms.kmeans_pp import kmeans_pp


def test_the_longest_first_then_far_ones_by_squared_distance():
    points = torch.tensor([[0.0], [1.0], [-4.0], [2.0]])
    chosen, distance = kmeans_pp(points, 2, seed=0)
    assert chosen[0] == 2
    assert distance.tolist() == [min((x - points[i, 0].item())**2 for i in chosen) for x in points[:, 0].tolist()]
    seconds = torch.tensor([kmeans_pp(points, 2, seed)[0][1] for seed in range(3000)])
    share = torch.bincount(seconds, minlength=4) / 3000
    assert share.tolist() == pytest.approx([16 / 77, 25 / 77, 0, 36 / 77], abs=0.03)


def test_copies_are_drawn_last_and_each_once():
    points = torch.tensor([[1.0, 0], [1, 0], [0, 2], [1, 0]])
    for seed in range(20):
        chosen, _ = kmeans_pp(points, 4, seed)
        assert sorted(chosen) == [0, 1, 2, 3]
        assert chosen[0] == 2
