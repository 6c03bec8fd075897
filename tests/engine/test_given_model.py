"""Runs that begin with a model that mmdet's own training left, and rounds that begin with the round before."""

import copy
import os

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.runner import Runner

from mmal.engine.dry_run import dry_run
from mmal.engine.hooks.resume_hook import MidTrainingCheckpointHook
from mmal.errors import InputError
from mmal.fileio.checksummed import digest_file, read_checksummed
from mmal.fileio.tensors import SWITCH, load_tensors
from mmal.fileio.text import read_json
from tests.zoo_configs import config

pytestmark = pytest.mark.usefixtures('no_drawing')
RANDOM = dict(sampler=dict(type='mmal.RandomSampler'), max_epochs=1)


@pytest.fixture(autouse=True)
def _their_files_may_be_unpickled(monkeypatch):
    """By the tests themselves, also after a run in this process has forbidden it."""
    monkeypatch.delenv(SWITCH, raising=False)


@pytest.fixture
def theirs(make_cfg, tmp_path):
    """A checkpoint of mmdet's own training, with averaged weights, an optimizer and log buffers in it."""
    cfg = make_cfg(tmp_path / 'theirs')
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
    cfg.custom_hooks = [dict(type='EMAHook', momentum=0.5)]
    cfg.default_hooks.checkpoint.update(interval=1)
    cfg.randomness = dict(seed=5)
    Runner.from_cfg(cfg).train()
    return tmp_path / 'theirs' / 'epoch_1.pth'


def log_of(work_dir):
    return '\n'.join(path.read_text() for path in work_dir.glob('2*/*.log'))


def weights(path):
    return load_tensors(path)['state_dict']


def test_the_first_round_takes_the_model_and_the_next_one_trains(make_cfg, run, tmp_path, theirs):
    given = torch.load(theirs, weights_only=False)
    assert {'optimizer', 'message_hub', 'ema_state_dict'} <= set(given), 'as trainings leave it'
    cfg = make_cfg(checkpoint=str(theirs), **RANDOM)
    text, problems = dry_run(copy.deepcopy(cfg))
    assert not problems
    assert f'none: the first round takes {theirs}' in text
    work_dir = run(cfg)
    taken = weights(work_dir / 'round_00' / 'checkpoint.pth')
    assert taken.keys() == given['state_dict'].keys()
    assert all(torch.equal(taken[name], value) for name, value in given['state_dict'].items())
    assert f'Round 0 takes the trained model {theirs}.' in log_of(work_dir)
    assert read_checksummed(work_dir / 'run.json')['checkpoint'] == digest_file(theirs)
    page = (work_dir / 'report.html').read_text()
    assert f'was not trained here but given: {theirs} (SHA-256 {digest_file(theirs)})' in page
    curve = read_json(work_dir / 'curve.json')
    assert [point['images'] for point in curve] == [6, 9]
    assert 'coco/bbox_mAP' in curve[0]['metrics']
    later = weights(work_dir / 'round_01' / 'checkpoint.pth')
    assert not torch.equal(taken['bbox_head.conv_cls.weight'], later['bbox_head.conv_cls.weight'])

    again = make_cfg(checkpoint=str(theirs), rounds=3, **RANDOM)
    again.resume = True
    theirs.unlink()
    run(again)
    assert len(read_json(work_dir / 'curve.json')) == 3, 'once it is taken, the file may go'
    torch.save(dict(state_dict=given['state_dict']), theirs)
    with pytest.raises(InputError, match='content of train_cfg.checkpoint: was'):
        run(again)
    again.work_dir = str(work_dir)
    assert any('content of train_cfg.checkpoint: was' in problem for problem in dry_run(again)[1])


def test_the_given_model_may_go_unmeasured(make_cfg, run, theirs):
    stop = dict(patience=1, target=2.0, metric='coco/bbox_mAP')
    work_dir = run(make_cfg(checkpoint=str(theirs), evaluate_checkpoint=False, stop=stop, **RANDOM))
    metrics = [point['metrics'] for point in read_json(work_dir / 'curve.json')]
    assert set(metrics[0]) <= {'unreadable_images', 'nonfinite_images'}
    assert 'coco/bbox_mAP' in metrics[1]


def test_a_model_that_does_not_fit_is_refused_before_anything_is_written(make_cfg, run, tmp_path, theirs):
    cfg = make_cfg(checkpoint=str(theirs), **RANDOM)
    cfg.model.bbox_head.stacked_convs = 2
    with pytest.raises(InputError, match='does not fit the model of the config: 8 parameters missing in it'):
        run(cfg)
    assert not (tmp_path / 'run' / 'run.json').exists()
    other = make_cfg(checkpoint=str(tmp_path / 'none.pth'), **RANDOM)
    assert any('none.pth: no such file' in problem for problem in dry_run(other)[1])


@pytest.mark.parametrize('warm_start', [False, True])
def test_a_warm_round_begins_where_the_round_before_ended(make_cfg, run, theirs, warm_start):
    cfg = make_cfg(checkpoint=str(theirs), warm_start=warm_start, evaluate_checkpoint=False, **RANDOM)
    cfg.optim_wrapper.optimizer.lr = 0.0
    work_dir = run(cfg)
    name = 'bbox_head.conv_cls.weight'
    before, after = (weights(work_dir / f'round_0{n}' / 'checkpoint.pth')[name] for n in (0, 1))
    assert torch.equal(before, after) == warm_start


def test_a_classifier_that_mmpretrain_trained(run, tmp_path):
    """With the loss scaler of mixed precision in its optimizer, as that leaves it."""
    cfg = config('resnet_digits_isal.py')
    cfg.param_scheduler, cfg.launcher = [dict(type='ConstantLR', factor=1.0)], 'none'
    active = copy.deepcopy(cfg)
    cfg.visualizer.name, cfg.experiment_name = str(tmp_path / 'theirs'), f'{tmp_path.name}_theirs'
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
    cfg.custom_hooks, cfg.work_dir = [], str(tmp_path / 'theirs')
    cfg.default_hooks.checkpoint.update(interval=2)
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    Runner.from_cfg(cfg).train()
    theirs = tmp_path / 'theirs' / 'iter_2.pth'
    content = torch.load(theirs, weights_only=False)
    content['optimizer']['loss_scaler'] = dict(scale=65536.0, growth_factor=2.0, backoff_factor=0.5,
                                               growth_interval=2000, _growth_tracker=0)
    torch.save(content, theirs)
    active.train_cfg.update(initial=20, query=10, rounds=1, max_iters=4, val_interval=4, checkpoint=str(theirs))
    active.work_dir = active.visualizer.name = str(tmp_path / 'run')
    work_dir = run(active)
    taken = weights(work_dir / 'round_00' / 'checkpoint.pth')
    assert all(torch.equal(taken[name], value) for name, value in content['state_dict'].items())
    assert 'accuracy/top1' in read_json(work_dir / 'curve.json')[0]['metrics']


class Hostile:

    def __reduce__(self):
        return os.mkdir, ('ran', )


BAD_CHECKPOINTS = {
    'code': (lambda content, path: torch.save(dict(content, hook=Hostile()), path), 'mkdir.* may be code; it was not'),
    'other classes': (lambda content, path: torch.save(dict(content, meta=dict(CLASSES=('disc', 'cube'))), path),
                      'Only in the checkpoint: cube; only in the config: square'),
    'another order': (lambda content, path: torch.save(dict(content, meta=dict(CLASSES=('square', 'disc'))), path),
                      r"in another order: square, disc; .* metainfo=dict\(classes=\('square', 'disc'\)\)"),
    'another number': (lambda content, path: torch.save(dict(state_dict=dict(
        content['state_dict'], **{'bbox_head.conv_cls.bias': torch.zeros(80)})), path), r'conv_cls.bias \(80,\) where'),
    'truncated': (lambda content, path: path.write_bytes(path.read_bytes()[:-999]), 'no checkpoint, or a damaged one'),
    'pointer': (lambda content, path: path.write_text('version https://git-lfs.github.com/spec/v1'), 'git lfs pull'),
    'no file': (lambda content, path: path.unlink(), 'no such file'),
}


@pytest.mark.parametrize('case', BAD_CHECKPOINTS)
def test_a_bad_checkpoint_is_refused_before_any_training(make_cfg, run, tmp_path, monkeypatch, case):
    spoil, message = BAD_CHECKPOINTS[case]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'given.pth'
    cfg = make_cfg(checkpoint=str(path), **RANDOM)
    register_all_modules(init_default_scope=True)
    content = dict(state_dict=MODELS.build(cfg.model).state_dict())
    torch.save(content, path)
    spoil(content, path)
    with pytest.raises(InputError, match=message) as e:
        run(cfg)
    assert str(path) in str(e.value)
    assert not (tmp_path / 'run' / 'run.json').exists()
    assert not (tmp_path / 'ran').exists()


class Killed(BaseException):
    pass


def test_an_interrupted_warm_training_comes_to_the_same_weights(make_cfg, run, tmp_path, monkeypatch):
    def go(name, **changes):
        cfg = make_cfg(tmp_path / name, warm_start=True, **dict(RANDOM, max_epochs=3), **changes)
        cfg.custom_hooks = [dict(type='mmal.MidTrainingCheckpointHook', interval_seconds=0)]
        cfg.resume = True
        return run(cfg)

    straight = weights(go('straight') / 'round_01' / 'checkpoint.pth')
    go('stopped', rounds=1)
    original = MidTrainingCheckpointHook.before_train_iter

    def stopping(self, runner, batch_idx, data_batch=None):
        original(self, runner, batch_idx, data_batch)
        if runner.epoch == 2:
            raise Killed

    monkeypatch.setattr(MidTrainingCheckpointHook, 'before_train_iter', stopping)
    with pytest.raises(Killed):
        go('stopped')
    monkeypatch.setattr(MidTrainingCheckpointHook, 'before_train_iter', original)
    assert list((tmp_path / 'stopped' / 'round_01').glob('resume_*.pth'))
    work_dir = go('stopped')
    resumed = weights(work_dir / 'round_01' / 'checkpoint.pth')
    assert all(torch.equal(resumed[name], value) for name, value in straight.items())


def test_another_sampler_begins_with_the_same_given_model(make_cfg, run, tmp_path, theirs):
    given = dict(RANDOM, rounds=1, checkpoint=str(theirs))
    first = run(make_cfg(tmp_path / 'first', **given))
    cfg = make_cfg(tmp_path / 'second', start_from=str(first), **dict(given, sampler=dict(type='mmal.EntropySampler')))
    second = run(cfg)
    assert 'the first trained model' in log_of(second)
    third = run(make_cfg(tmp_path / 'third', start_from=str(first), rounds=1, **RANDOM))
    assert 'the first trained model' not in log_of(third), 'this one trains it'
