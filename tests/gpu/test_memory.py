"""Peak GPU memory: recorded, bounded, the same for a small and a large pool; and a full GPU is a message."""

import logging

import pytest
import torch

from mmal.adapters import build_data_adapter, build_model_adapter
from mmal.engine import memory_limit
from mmal.engine.hooks.stest_hook import StestHook
from mmal.engine.stest import open_reference_set, solve_s_test
from mmal.errors import InputError
from mmal.samplers.influence import InfluenceSampler
from mmal.utils.gpu_memory import GIB, explain_full_gpu, free_bytes, passing_bytes, peak_bytes, reset_peak
from tests.sampler_fixtures import Detection

pytestmark = pytest.mark.gpu
DEVICE = torch.device('cuda')


@pytest.fixture
def case():
    return 'detection', dict(type='mmal.InfluenceSampler')


def test_peak_and_free_memory_are_those_of_the_tensors():
    held = torch.zeros(2**20, device='cuda')
    before = torch.cuda.memory_allocated()
    reset_peak()
    free = free_bytes(DEVICE)
    passing = torch.zeros(2**24, device='cuda')
    assert peak_bytes() - before >= passing.nbytes
    assert free - free_bytes(DEVICE) >= passing.nbytes
    n_bytes = passing.nbytes
    del passing
    assert passing_bytes() >= n_bytes
    # Another program may use the GPU, too.
    assert abs(free_bytes(DEVICE) - free) < GIB
    del held


def test_a_gpu_that_is_really_full_is_a_message():
    with pytest.raises(InputError, match='The memory of the GPU is full in scoring: .*Lower batch_size'), \
            explain_full_gpu('scoring', 'Lower batch_size.'):
        torch.empty(2 * torch.cuda.mem_get_info()[1], dtype=torch.uint8, device='cuda')


def test_a_larger_pool_needs_no_more_memory(ask, ids, world):
    world.model.cuda()
    sampler = InfluenceSampler(score_thr=0.005)
    peaks = []
    ask(sampler, ids[3:11])
    for asked in (ids[3:11], ids[3:] + ids[:3]):
        reset_peak()
        ask(sampler, asked)
        peaks.append(peak_bytes())
    # Four batches instead of two; images are equal in size. What is kept of an image is two numbers on the processor.
    assert peaks[1] <= 1.05 * peaks[0], peaks


def solve(make_cfg, dataset, **hook):
    world = Detection(make_cfg, dataset)
    world.model.cuda()
    data = build_data_adapter(world.cfg)
    return solve_s_test(StestHook(**hook).settings, build_model_adapter(world.model, world.cfg),
                        open_reference_set('val', data, None, None), data.labeled_dataset(None), 0,
                        dict(batch_size=2), logging.getLogger('gpu')).report


def test_a_gpu_with_little_left_lowers_memory_gb(make_cfg, dataset, monkeypatch, caplog):
    whole = solve(make_cfg, dataset)
    assert whole['n_hessian'] == 14
    assert 0 < whole['gpu_bytes'] < torch.cuda.mem_get_info()[1]
    assert 'memory_gb' not in caplog.text
    monkeypatch.setattr(memory_limit, 'LEAST_BYTES', 1)
    monkeypatch.setattr(memory_limit, 'free_bytes', lambda device: passing_bytes() + 1)
    assert solve(make_cfg, dataset)['n_hessian'] < 14
    assert 'memory_gb = 4, but the GPU has 0.00 GiB left' in caplog.text


def test_a_gpu_with_nothing_left_is_refused(make_cfg, dataset, monkeypatch):
    monkeypatch.setattr(memory_limit, 'free_bytes', lambda device: 2**20)
    with pytest.raises(InputError, match='found 0.00 GiB free on the GPU'):
        solve(make_cfg, dataset)
