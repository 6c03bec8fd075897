from types import SimpleNamespace

import torch
from mmengine.model import MMDistributedDataParallel

from mmal.engine.round_runner import retire_model, round_cfg
from mmal.utils.seeding import derive_seed


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
