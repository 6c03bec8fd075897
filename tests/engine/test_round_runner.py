"""The configs of a round's own Runner, and what becomes of the outer one's model."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.model import MMDistributedDataParallel

from mmal.engine.round_runner import retire_model, round_cfg, train_loop_cfg
from mmal.errors import InputError
from mmal.utils.seeding import derive_seed


def test_the_inner_loop_is_by_epoch_or_by_iteration():
    assert train_loop_cfg(dict(max_epochs=2)) == dict(type='EpochBasedTrainLoop', max_epochs=2)
    assert train_loop_cfg(dict(max_iters=9)) == dict(type='IterBasedTrainLoop', max_iters=9)
    for inner in (dict(), dict(max_epochs=1, max_iters=1)):
        with pytest.raises(InputError, match='needs max_epochs or max_iters'):
            train_loop_cfg(inner)


def test_by_epoch_of_mmpretrains_schedules_is_left_out_where_it_fits():
    inherited = dict(by_epoch=True, max_epochs=200, val_interval=1)
    assert train_loop_cfg(inherited) == dict(type='EpochBasedTrainLoop', max_epochs=200, val_interval=1)
    with pytest.raises(InputError, match='by_epoch=True does not fit max_iters'):
        train_loop_cfg(dict(by_epoch=True, max_iters=9))


def test_a_name_that_was_spelt_wrong_is_refused_before_anything_is_built():
    with pytest.raises(InputError, match='querry: known neither to mmal.ActiveLoop nor to EpochBasedTrainLoop'):
        train_loop_cfg(dict(max_epochs=2, querry=3))


def test_the_processes_of_a_round_have_one_seed(make_cfg, tmp_path):
    cfg = make_cfg()
    cfg.randomness = dict(seed=3, diff_rank_seed=True, deterministic=True)
    made = round_cfg(cfg, 'name', tmp_path, 1, 3, dict(type='EpochBasedTrainLoop', max_epochs=1))
    assert made.randomness == dict(seed=derive_seed(3, 'train/1'), diff_rank_seed=False, deterministic=True)


def test_a_model_that_is_not_trained_leaves_its_wrapper(tmp_path):
    """The wrapper keeps buffers for gradients, as large as the model."""
    torch.distributed.init_process_group('gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    try:
        model = torch.nn.Linear(2, 1)
        runner = SimpleNamespace(model=MMDistributedDataParallel(model))
        retire_model(runner)
        assert runner.model is model
        assert not model.weight.is_cuda
    finally:
        torch.distributed.destroy_process_group()
