"""Many rounds in one process: memory and open files stay what they were after the second."""

import gc
import os

import pytest

from mmal.engine.active_loop import ActiveLoop
from tests.zoo_configs import config

PAGE = os.sysconf('SC_PAGE_SIZE') / 2**20


def state():
    """Resident MiB, open files, and objects that the garbage collector knows."""
    gc.collect()
    with open('/proc/self/statm') as f:
        resident = int(f.read().split()[1]) * PAGE
    return resident, len(os.listdir('/proc/self/fd')), len(gc.get_objects())


def states(run, tmp_path, monkeypatch, sampler, rounds):
    """What the process is after each round of the digits classifier."""
    cfg = config('resnet_digits_isal.py')
    # torch keeps kernels for each size of a batch it has seen (up to 1024): let no round bring another size
    cfg.val_dataloader.batch_size = 16
    cfg.train_cfg.update(initial=24, query=16, rounds=rounds, max_iters=2, val_interval=2, sampler=dict(type=sampler))
    cfg.param_scheduler = [dict(type='ConstantLR', factor=1.0)]
    cfg.work_dir, cfg.launcher, cfg.visualizer.name = str(tmp_path / 'run'), 'none', str(tmp_path)
    original, found = ActiveLoop.run_round, []

    def measured(self, *args):
        original(self, *args)
        found.append(state())

    monkeypatch.setattr(ActiveLoop, 'run_round', measured)
    run(cfg)
    return found


def require_flat(found):
    assert all(files == found[1][1] for _, files, _ in found[1:]), [files for _, files, _ in found]
    per_round = (found[-1][2] - found[1][2]) / (len(found) - 2)
    assert per_round < 200, f'{per_round} objects more in each round'  # a Runner's visualizer has 1300


@pytest.mark.skipif(not os.path.exists('/proc/self/statm'), reason='asks Linux')
def test_a_round_leaves_no_open_file_and_few_objects(run, tmp_path, monkeypatch):
    require_flat(states(run, tmp_path, monkeypatch, 'mmal.RandomSampler', 4))


@pytest.mark.soak
@pytest.mark.parametrize('sampler', ['mmal.RandomSampler', 'mmal.InfluenceSampler'])
def test_twenty_rounds_take_no_more_memory_than_two(run, tmp_path, monkeypatch, sampler):
    found = states(run, tmp_path, monkeypatch, sampler, 20)
    require_flat(found)
    assert found[-1][0] - found[1][0] < 6, [round(resident, 1) for resident, _, _ in found]
