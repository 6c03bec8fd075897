"""The collectives of a group do what torch's words mean."""

import pytest
import torch

from mmal.distributed.group import Group
from tests.processes import together


def collect(work, tmp_path, world=3):
    """What ``work(group)`` gives in each process, by rank."""
    def member():
        group = Group()
        result = work(group)
        return Group().all_gather((group.rank, result))

    results = together(world, tmp_path / 'group', member)
    assert [rank for rank, _ in results] == list(range(world))
    return [result for _, result in results]


def test_all_reduce_sums_in_place(tmp_path):
    def work(group):
        own = torch.tensor([1.0, group.rank])
        assert group.all_reduce(own) is own
        return own.tolist()

    assert collect(work, tmp_path) == [[3.0, 3.0]] * 3


def test_all_gather_gives_all_to_all_and_gather_to_rank_0_alone(tmp_path):
    def work(group):
        return group.all_gather(f'of {group.rank}'), group.gather(f'of {group.rank}')

    everything = ['of 0', 'of 1', 'of 2']
    assert collect(work, tmp_path) == [(everything, everything), (everything, []), (everything, [])]


def test_broadcast_gives_what_rank_0_has_and_sends_nothing_else(tmp_path):
    def work(group):
        return group.broadcast('of 0' if group.rank == 0 else lambda: 'cannot be pickled')

    assert collect(work, tmp_path) == ['of 0'] * 3


def test_scatter_asks_rank_0_alone(tmp_path):
    def work(group):
        def parts():
            assert group.rank == 0
            return ['for 0', 'for 1', 'for 2']
        return group.scatter(parts)

    assert collect(work, tmp_path) == ['for 0', 'for 1', 'for 2']


@pytest.mark.parametrize('size', [1, 2, 3, 20])
def test_shards_are_whole_batches_and_make_up_the_order(size):
    order = list('abcdefghij')
    shards = []
    for rank in range(3):
        group = Group(alone=True)
        group.rank, group.world = rank, 3
        shards.append(group.shard(order, size))
    batches = [order[start:start + size] for start in range(0, len(order), size)]
    for rank, shard in enumerate(shards):
        assert shard == [item for batch in batches[rank::3] for item in batch]


def test_a_process_alone_needs_no_group():
    group = Group(alone=True)
    assert (group.rank, group.world) == (0, 1)
    assert group.all_reduce(torch.tensor(2.0)) == 2
    assert group.all_gather(1) == group.gather(1) == [1]
    assert group.broadcast(1) == group.scatter(lambda: [1]) == 1
    assert group.shard('abc', 2) == ['a', 'b', 'c']
