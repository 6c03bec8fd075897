import pytest
import torch
from mmengine.runner import Runner

from mmal.engine.round_runner import pretrained_model


@pytest.fixture
def weights(make_cfg, tmp_path):
    """Those of the model that chooses the first images, in a run whose config names no seed."""
    def go(start, load_from=None):
        cfg = make_cfg(tmp_path / f'run_{start}')
        cfg.pop('randomness', None)
        cfg.load_from = load_from
        runner = Runner.from_cfg(cfg)
        return pretrained_model(runner, runner.train_loop.settings.seed).state_dict()
    return go


def test_the_model_before_any_training_is_the_same_at_every_start(weights, tmp_path):
    first, second = weights(1), weights(2)
    assert all(torch.equal(t, second[name]) for name, t in first.items())
    assert bool(first['bbox_head.conv_cls.bias'].std() == 0), 'as init_weights leaves it'
    torch.save(dict(state_dict={'bbox_head.conv_cls.bias': torch.tensor([7.0, 8.0])}), tmp_path / 'mine.pth')
    third = weights(3, str(tmp_path / 'mine.pth'))
    assert third.pop('bbox_head.conv_cls.bias').tolist() == [7.0, 8.0]
    assert all(torch.equal(t, first[name]) for name, t in third.items())
