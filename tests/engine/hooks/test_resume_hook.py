"""An interrupted training goes on to the weights it would have had."""

import errno
import logging
import os

import pytest
import torch

from mmal.engine.hooks.resume_hook import MidTrainingCheckpointHook
from mmal.engine.round_runner import RunnerModel, round_cfg
from mmal.fileio.tensors import load_tensors, to_plain
from mmal.run.resume_points import INDEX_FILE, last_point

LOG = logging.getLogger()


class Killed(BaseException):
    pass


@pytest.fixture(params=['epochs', 'iterations'])
def go(request, make_cfg, dataset, tmp_path):
    """Train into a folder; stop in the given iteration."""

    def run(name, stop=None, num_workers=0):
        cfg = make_cfg()
        loader = cfg.train_dataloader
        loader.update(num_workers=num_workers, persistent_workers=bool(num_workers), batch_size=4)
        loader.dataset.pipeline.insert(2, dict(type='RandomFlip', prob=0.5))
        loader.dataset.pipeline.insert(3, dict(type='PhotoMetricDistortion'))
        cfg.custom_hooks = [dict(type='mmal.MidTrainingCheckpointHook', interval_seconds=0),
                            dict(type='EMAHook', momentum=0.3)]
        inner = dict(type='EpochBasedTrainLoop', max_epochs=4, val_interval=99)
        if request.param == 'iterations':
            inner = dict(type='IterBasedTrainLoop', max_iters=8, val_interval=99)
            loader.sampler = dict(type='InfiniteSampler', shuffle=True)
            loader.pop('batch_sampler', None)
            cfg.param_scheduler = [dict(type='OneCycleLR', eta_max=2e-3, total_steps=8, by_epoch=False),
                                   dict(type='LinearMomentum', start_factor=0.5, by_epoch=False, end=4)]
            cfg.default_hooks.checkpoint.update(by_epoch=False, interval=99)
        folder = tmp_path / name
        cfg = round_cfg(cfg, f'{name}_{stop}', folder, 0, 0, inner)
        original = MidTrainingCheckpointHook.before_train_iter

        def stopping(self, runner, batch_idx, data_batch=None):
            original(self, runner, batch_idx, data_batch)
            if runner.iter == stop:
                raise Killed

        MidTrainingCheckpointHook.before_train_iter = stopping
        try:
            RunnerModel(cfg, folder / 'checkpoint.pth', ('disc', 'square')).train(folder / 'checkpoint.pth')
        except Killed:
            return None
        finally:
            MidTrainingCheckpointHook.before_train_iter = original
        assert last_point(folder, LOG), 'the points stay until the training is on record'
        return load_tensors(folder / 'checkpoint.pth')['state_dict']

    run.folder, run.stop = tmp_path, 10 if request.param == 'epochs' else 7
    return run


def same(a, b):
    return all(torch.equal(a[k], b[k]) for k in a)


def test_it_goes_on_to_the_same_weights(go, caplog):
    straight = go('straight')
    assert go('stopped', stop=go.stop) is None
    folder = go.folder / 'stopped'
    assert len(list(folder.glob('resume_*.pth'))) == 2
    newest = last_point(folder, LOG)
    os.truncate(newest, newest.stat().st_size // 2)
    with caplog.at_level('WARNING'):
        before = last_point(folder, LOG)
    assert before not in (None, newest), 'a truncated point is recognised, and the one before it used'
    assert f'{newest} is damaged' in caplog.text
    assert same(go('stopped', num_workers=2), straight), 'nor does the number of loader workers matter'


def test_a_point_that_finds_no_space_leaves_nothing_behind(tmp_path, monkeypatch):
    class Full:
        work_dir, iter = str(tmp_path), 3

        def save_checkpoint(self, folder, name, by_epoch):
            (tmp_path / name).write_bytes(b'half')
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    hook = MidTrainingCheckpointHook(interval_seconds=0)
    with pytest.raises(OSError, match='No space left on device: .*resume_3.pth'):
        hook.after_train_epoch(type('Runner', (Full, ), dict(train_loop=None))())
    assert not list(tmp_path.iterdir())


def test_without_a_list_of_points_it_starts_from_the_beginning(tmp_path):
    assert last_point(tmp_path, LOG) is None
    (tmp_path / INDEX_FILE).write_bytes(b'{')
    assert last_point(tmp_path, LOG) is None


def test_a_point_is_plain():
    import numpy as np
    t = torch.ones(2)
    given = dict(a=np.float32(0.5), b=(1, [np.arange(2)]), c=print, d=t, e=None)
    assert to_plain(given) == dict(a=0.5, b=(1, [[0, 1]]), d=t, e=None)
    with pytest.raises(TypeError, match='holds a object'):
        to_plain([object()])
