"""What rank 0 does for all may last longer than the group's time limit."""

import time
from datetime import timedelta

import torch.distributed

from mmal.distributed.rank_zero import run_on_rank_zero
from tests.processes import apart


def test_the_others_wait_for_longer_than_the_group_s_time_limit(tmp_path):
    def member(rank):
        torch.distributed.init_process_group('gloo', init_method=f'file://{tmp_path}/store', rank=rank, world_size=2,
                                             timeout=timedelta(seconds=1))
        if rank == 0:
            time.sleep(1.5)  # on the way to it, as a sampler does that chooses there
        first = run_on_rank_zero(lambda: (time.sleep(1.5), 7)[1])
        return first, run_on_rank_zero(lambda: 8)

    assert apart(2, tmp_path / 'group', member) == (7, 8)
