"""Runs that begin with a model that mmdet's own training left, and rounds that begin with the round before."""

import copy

import pytest
import torch
from mmengine.runner import Runner

from mmal.engine.dry_run import dry_run
from mmal.errors import InputError
from mmal.fileio.checksummed import digest_file, read_checksummed
from mmal.fileio.tensors import load_tensors
from mmal.fileio.text import read_json

pytestmark = pytest.mark.usefixtures('no_drawing')
RANDOM = dict(sampler=dict(type='mmal.RandomSampler'), max_epochs=1)


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


def test_the_given_model_may_go_unmeasured(make_cfg, run, theirs):
    stop = dict(patience=1)
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
