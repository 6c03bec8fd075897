"""A process group that, like NCCL's, takes tensors of the GPU alone: gloo behind a gate, on the fake device."""

import functools
from datetime import timedelta

import torch
import torch.distributed as torch_dist
from torch.distributed import distributed_c10d

from tests.emulation.fake_device import DEVICE, fake_device, is_on_device, leaves_of
from tests.processes import apart

COLLECTIVES = ('all_reduce', 'all_gather', 'all_gather_into_tensor', 'broadcast', 'gather', 'reduce', 'reduce_scatter',
               'scatter', 'send', 'recv', 'all_to_all')


def together_on_gpus(world, folder, work):
    """What ``work()`` gives in rank 0 of a group of processes, each with a fake GPU; AssertionError if any fails."""
    def member(rank):
        torch_dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=world,
                                      timeout=timedelta(seconds=60))
        _pass_for_nccl()
        with fake_device():
            return work()

    folder.mkdir(exist_ok=True)
    try:
        return apart(world, folder, member)
    finally:
        (folder / 'store').unlink(missing_ok=True)


def _pass_for_nccl():
    """Say so to who asks, send objects by the device, and refuse tensors of the CPU."""
    torch_dist.get_backend = distributed_c10d.get_backend = lambda group=None: 'nccl'
    for name in ('_get_pg_default_device', '_get_object_coll_device'):
        if hasattr(distributed_c10d, name):
            setattr(distributed_c10d, name, lambda group=None: DEVICE)
    for name in COLLECTIVES:
        gated = _gated(getattr(distributed_c10d, name))
        setattr(distributed_c10d, name, gated)
        setattr(torch_dist, name, gated)


def _gated(collective):
    @functools.wraps(collective)
    def call(*args, **kwargs):
        for tensor in leaves_of(args, kwargs):
            if isinstance(tensor, torch.Tensor) and not is_on_device(tensor):
                raise RuntimeError(f'{collective.__name__}: No backend type associated with device type cpu')
        return collective(*args, **kwargs)

    return call
