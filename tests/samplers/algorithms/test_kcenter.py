import pytest
import torch

from mmal.distributed.group import Group
from mmal.samplers.algorithms.kcenter import kcenter_greedy, nearest_distance
from tests.processes import together


def by_the_book(points, centers, k):
    """Algorithm 1 of the paper with the whole distance matrix, in float64."""
    every = torch.cat([centers, points]).double()
    distance, covered, chosen = torch.cdist(every, every), list(range(len(centers))), []
    for _ in range(k):
        nearest = distance[len(centers):, covered].amin(1)
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))
        covered.append(len(centers) + chosen[-1])
    return chosen


def test_equals_the_algorithm_with_the_whole_matrix(monkeypatch):
    from mmal.samplers.algorithms import kcenter
    points, centers = torch.randn(200, 6), torch.randn(17, 6)
    expected = by_the_book(points, centers, 30)
    for block in (4096, 7):
        monkeypatch.setattr(kcenter, 'BLOCK', block)
        chosen, distance = kcenter_greedy(points, centers, 30)
        assert chosen == expected
        assert (distance[chosen].diff() <= 1e-5).all(), 'never farther than the one before'
        rest = [i for i in range(200) if i not in chosen]
        torch.testing.assert_close(distance[rest], nearest_distance(points[rest], torch.cat([centers, points[chosen]])),
                                   rtol=1e-4, atol=1e-4)
        assert distance[rest].max() <= distance[chosen].min() + 1e-5


def test_copies_are_at_distance_zero_and_come_last():
    far = torch.randn(5, 512) * 100 + 1000
    points = torch.cat([far, far])
    chosen, distance = kcenter_greedy(points, torch.empty(0, 512), 6, first=2)
    assert chosen[0] == 2
    assert sorted(i % 5 for i in chosen[:5]) == list(range(5))
    assert distance[chosen[5]] == 0
    assert torch.isfinite(distance).all()


def test_one_point_and_more_than_there_are():
    assert kcenter_greedy(torch.zeros(1, 2), torch.empty(0, 2), 3)[0] == [0]
    assert sorted(kcenter_greedy(torch.randn(4, 2), torch.randn(1, 2), 9)[0]) == [0, 1, 2, 3]


@pytest.mark.parametrize('known', [0, 3])
@pytest.mark.parametrize('world', [2, 3])
def test_processes_that_share_the_points_choose_as_one(tmp_path, known, world):
    torch.manual_seed(1)
    points, centers = torch.randn(11, 4).repeat(2, 1), torch.randn(known, 4)  # with copies, so with ties
    expected = kcenter_greedy(points, centers, 15, first=4)

    def work():
        group = Group()
        return kcenter_greedy(points[group.rank::world], centers, 15, 4, group)

    chosen, distance = together(world, tmp_path / 'group', work)
    assert chosen == expected[0]
    torch.testing.assert_close(distance, expected[1], rtol=0, atol=0)


def test_a_process_without_points_takes_part(tmp_path):
    points = torch.randn(2, 3)

    def work():
        group = Group()
        return kcenter_greedy(points[group.rank::3], torch.empty(0, 3), 5, 0, group)[0]

    assert together(3, tmp_path / 'group', work) == [0, 1]
