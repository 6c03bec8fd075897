import math

import torch

from mmal.distributed.group import Group
from mmal.explain.nearest_labeled import NearestSearch
from tests.processes import together

POINTS = torch.tensor([[0.0, 0.0], [10.0, 0.0], [math.nan, 0.0]])
LABELED = torch.tensor([[3.0, 4.0], [10.0, 1.0], [math.nan, 0.0], [10.0, -1.0], [0.0, math.inf], [-3.0, 4.0]])


def shown(group, size):
    nearest = NearestSearch(POINTS)
    for start in group.shard(range(0, len(LABELED), size), 1):
        nearest.update(LABELED[start:start + size], list(range(len(LABELED)))[start:start + size])
    return nearest.result(group)


def test_the_nearest_whatever_the_batches_and_of_equals_the_first():
    for size in (1, 2, 6):
        assert shown(Group(alone=True), size) == [(5.0, 0), (1.0, 1), None]


def test_three_processes_find_the_same(tmp_path):
    assert together(3, tmp_path / 'group', lambda: shown(Group(), 1)) == [(5.0, 0), (1.0, 1), None]


def test_nothing_shown_nothing_found_and_a_copy_is_at_distance_zero():
    assert NearestSearch(POINTS).result(Group(alone=True)) == [None, None, None]
    nearest = NearestSearch(1e3 + torch.rand(4, 300))
    nearest.update(nearest._points.flip(0), [3, 2, 1, 0])
    assert nearest.result(Group(alone=True)) == [(0.0, n) for n in range(4)]
