"""One process of a group: what mmal's processes do together, on a GPU or on the processor.

python -m tests.gpu.member BACKEND DEVICE RANK WORLD FILE prints, in rank 0, what came out as JSON.
"""

import json
import logging
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from mmal.adapters.detection.model import DetectionAdapter
from mmal.distributed.group import Group
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.engine.hooks.stest_hook import StestHook
from mmal.engine.stest import solve_s_test
from mmal.influence.parameters import flatten
from mmal.samplers.algorithms.kcenter import kcenter_greedy
from tests.adapters.detection.test_detectors import item
from tests.adapters.models_under_test import build_detector


class Items(Sequence):
    """Dataset of a few images with boxes."""

    def __init__(self, n, first):
        self.n, self.first = n, first

    def __len__(self):
        return self.n

    def __getitem__(self, row):
        if row >= self.n:
            raise IndexError
        return item(self.first + row)


def work(device):
    """Every collective, k-center, and s_test, whose result must not depend on the number of processes."""
    group = Group()
    ranks = torch.tensor([float(group.rank + 1)], device=device)
    messages = dict(all_reduce=group.all_reduce(ranks).tolist(), all_gather=group.all_gather(group.rank),
                    gather=group.gather(group.rank), broadcast=group.broadcast(group.rank + 7),
                    scatter=group.scatter(lambda: list(range(10, 10 + group.world))),
                    rank_zero=run_on_rank_zero(lambda: 'said'))
    points = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
    own_points = points[group.rank::group.world].contiguous()
    centers, _ = kcenter_greedy(own_points, points[:1], 4, group=group)
    adapter = DetectionAdapter(build_detector('fcos').to(device), lambda text: None)
    solution = solve_s_test(StestHook().settings, adapter, Items(6, 0), Items(6, 20), 0, dict(batch_size=2),
                            logging.getLogger())
    return dict(messages=messages, centers=centers, s_test=flatten(solution.s_test).tolist())


def main():
    backend, device, rank, world, file = sys.argv[1:]
    rank, world = int(rank), int(world)
    if device == 'cuda':
        torch.cuda.set_device(rank % torch.cuda.device_count())
    dist.init_process_group(backend, init_method=f'file://{Path(file)}', rank=rank, world_size=world,
                            timeout=timedelta(seconds=90))
    found = work(torch.device(device))
    dist.destroy_process_group()
    if rank == 0:
        print(json.dumps(found))


if __name__ == '__main__':
    main()
