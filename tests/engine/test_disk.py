"""How much room a run needs."""

from types import SimpleNamespace

import pytest
from mmengine.config import Config
from torch import nn

from mmal.engine.disk import DiskNeed, describe_need, disk_need, free_bytes, state_copies
from mmal.engine.dry_run import dry_run
from mmal.errors import InputError
from mmal.pool.budget import BudgetUnit
from tests.engine.fakes import make_run

MODEL = nn.Sequential(nn.Linear(1000, 10, bias=False), nn.BatchNorm1d(10, affine=False))
WEIGHTS = 10_000 * 4
BUFFERS = 2 * 10 * 4 + 8
SGD = dict(type='SGD', lr=0.1, momentum=0.9)


def need(tmp_path, optimizer=SGD, hook=None, hooks=(), **settings):
    cfg = Config(dict(optim_wrapper=dict(optimizer=optimizer), custom_hooks=list(hooks),
                      default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1) | (hook or {}))))
    run = make_run(tmp_path, cfg=cfg, models=SimpleNamespace(untrained_model=lambda: MODEL), **settings)
    return disk_need(run, dict(max_epochs=12), rounds_done=0)


@pytest.mark.parametrize(('optimizer', 'copies'), [
    (SGD, 1), (dict(type='SGD', lr=0.1), 0), (dict(type='AdamW', lr=0.1), 2), (dict(type='Nothing'), 2), (None, 2)])
def test_what_an_optimizer_keeps_is_found_by_a_step(optimizer, copies):
    assert state_copies(optimizer) == copies


def test_a_round_keeps_the_weights_and_what_the_config_asks_for(tmp_path):
    weights, full = WEIGHTS + BUFFERS, 2 * WEIGHTS + BUFFERS
    default = need(tmp_path)
    assert (default.checkpoint, default.hook_checkpoints, default.training) == (weights, 0, 4 * full)
    assert need(tmp_path, hook=dict(max_keep_ckpts=-1)).hook_checkpoints == 12 * full
    assert need(tmp_path, hook=dict(max_keep_ckpts=-1, save_best='mAP')).hook_checkpoints == 12 * full + weights
    averaged = need(tmp_path, hooks=[dict(type='mmdet.ExpMomentumEMAHook')], hook=dict(max_keep_ckpts=1))
    assert averaged.hook_checkpoints == full + weights


def test_labels_grow_with_the_rounds(tmp_path):
    few, many, all_of_it = (need(tmp_path, rounds=n).other for n in (1, 2, 9))
    assert many - few == 3 * 1024
    assert all_of_it == need(tmp_path, rounds=2, unit=BudgetUnit.BOX).other


def test_what_cannot_fit_is_refused_with_what_it_is_made_of(tmp_path):
    gib = 2**30
    small = DiskNeed(checkpoint=gib // 8, hook_checkpoints=0, other=2**20, training=gib, passes=0, rounds=3)
    text = describe_need(small, tmp_path / 'not' / 'there')
    assert 'about 129.0 MiB a round (checkpoint.pth 128.0 MiB, scores and labels 1.0 MiB)' in text
    assert '1.4 GiB in all for 3 rounds' in text
    large = DiskNeed(gib, free_bytes(tmp_path), 0, 0, 0, rounds=3)
    with pytest.raises(InputError, match=r'too small: .*CheckpointHook.* lower train_cfg.rounds, .*max_keep_ckpts'):
        describe_need(large, tmp_path)
    done = DiskNeed(gib, free_bytes(tmp_path), 0, 0, 0, rounds=0)
    assert 'for 0 rounds' in describe_need(done, tmp_path)


def test_a_plan_names_it_and_a_disk_that_is_too_small_is_a_problem(make_cfg, monkeypatch):
    text, problems = dry_run(make_cfg())
    assert not problems
    line = next(line for line in text.splitlines() if line.startswith('disk:'))
    assert 'in all for 2 rounds' in line
    monkeypatch.setattr('mmal.engine.disk.free_bytes', lambda folder: 2**20)
    _, problems = dry_run(make_cfg())
    assert any('is too small' in problem and '1.0 MiB are free' in problem for problem in problems)
