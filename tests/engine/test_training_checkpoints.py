"""Which checkpoints mmengine's hook leaves of a training."""

import pytest
from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from mmal.engine.training_checkpoints import best_checkpoints, keep_newest_alone, keeps_by_default, kept_checkpoints

HOOK = dict(type='CheckpointHook', interval=1)


def with_hook(**hooks):
    return Config(dict(default_hooks=hooks))


@pytest.mark.parametrize(('cfg', 'kept'), [
    (with_hook(checkpoint=HOOK), 1), (with_hook(checkpoint=dict(HOOK, type='mmengine.CheckpointHook')), 1),
    (with_hook(checkpoint=dict(HOOK, type=CheckpointHook)), 1), (with_hook(), 1), (Config(dict()), 1),
    (with_hook(checkpoint=dict(HOOK, max_keep_ckpts=3)), 3), (with_hook(checkpoint=dict(HOOK, max_keep_ckpts=-1)), -1),
    (with_hook(checkpoint=dict(type='MyHook')), None), (with_hook(checkpoint=None), None)])
def test_the_newest_alone_is_kept_unless_the_config_says_otherwise(cfg, kept):
    is_default = keeps_by_default(cfg)
    keep_newest_alone(cfg)
    hook = cfg.default_hooks.checkpoint
    assert (hook or {}).get('max_keep_ckpts') == kept
    assert is_default == (kept == 1)
    if hook and kept:
        assert hook.interval == 1


@pytest.mark.parametrize(('hook', 'inner', 'kept'), [
    (dict(interval=1), dict(max_epochs=12), 0), (dict(interval=1, max_keep_ckpts=-1), dict(max_epochs=12), 12),
    (dict(interval=5, max_keep_ckpts=-1), dict(max_epochs=12), 3), (dict(max_keep_ckpts=2), dict(max_epochs=12), 1),
    (dict(interval=5, max_keep_ckpts=9, save_last=False), dict(max_epochs=12), 2),
    (dict(interval=2, max_keep_ckpts=3), dict(max_epochs=12), 3),
    (dict(interval=100, by_epoch=False, max_keep_ckpts=-1), dict(max_iters=1000), 10)])
def test_how_many_with_optimizer_state_a_finished_round_keeps(hook, inner, kept):
    assert kept_checkpoints(with_hook(checkpoint=dict(HOOK, interval=-1) | hook), inner) == kept


def test_how_many_best_ones():
    assert best_checkpoints(Config(dict())) == 0
    assert best_checkpoints(with_hook(checkpoint=dict(HOOK, save_best='auto'))) == 1
    assert best_checkpoints(with_hook(checkpoint=dict(HOOK, save_best=['a', 'b'], rule='greater'))) == 2


@pytest.mark.usefixtures('no_drawing')
def test_what_a_training_leaves(make_cfg, run, tmp_path):
    def left(name, **hook):
        cfg = make_cfg(tmp_path / name, rounds=1, sampler=dict(type='mmal.RandomSampler'), val_interval=1)
        cfg.default_hooks.checkpoint = dict(HOOK, **hook)
        folder = run(cfg) / 'round_00'
        return sorted(p.name for p in folder.iterdir() if p.suffix == '.pth' or p.name == 'last_checkpoint')

    assert left('drop_in', save_best='coco/bbox_mAP', rule='greater')[1:] == ['checkpoint.pth']
    assert left('kept', max_keep_ckpts=-1) == ['checkpoint.pth', 'epoch_1.pth', 'epoch_2.pth', 'last_checkpoint']
