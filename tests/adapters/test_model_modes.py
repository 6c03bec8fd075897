"""What the modes of models hide, and what they restore."""

import pytest
import torch
from torch import nn

from mmal.adapters.model_modes import eval_mode, hide_process_group, loss_evaluation_mode, stub_method
from mmal.distributed.group import Group


@pytest.fixture
def group_of_one(tmp_path):
    torch.distributed.init_process_group('gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures('group_of_one')
def test_the_group_is_hidden_and_comes_back():
    with hide_process_group():
        assert not torch.distributed.is_initialized()
    assert torch.distributed.is_initialized()


@pytest.mark.usefixtures('group_of_one')
def test_a_group_made_inside_is_refused_one_made_before_works():
    before = Group()
    with hide_process_group():
        with pytest.raises(RuntimeError, match='hidden here'):
            Group()
        assert Group(alone=True).world == 1
        assert before.all_gather('x') == ['x']


def test_without_a_group_nothing_is_hidden_and_a_process_may_work_alone():
    with hide_process_group():
        assert Group().world == 1


def test_the_group_comes_back_after_an_error():
    original = torch.distributed.is_initialized
    with pytest.raises(KeyError), hide_process_group():
        raise KeyError
    assert torch.distributed.is_initialized is original


def test_loss_modes_are_not_nested_and_the_model_is_left_as_it_was():
    original = torch.distributed.is_initialized
    model = nn.ModuleDict(dict(body=nn.Linear(1, 1), head=nn.Linear(1, 1))).eval()
    with loss_evaluation_mode(model):
        with pytest.raises(RuntimeError, match='cannot be nested'), loss_evaluation_mode(model):
            pass
        assert torch.distributed.is_initialized() is False
        assert [name for name, module in model.named_modules() if module.training] == ['', 'head']
    assert torch.distributed.is_initialized is original
    assert not any(module.training for module in model.modules())


def test_heads_train_but_their_dropout_and_normalisation_do_not():
    head = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.BatchNorm1d(2), nn.MultiheadAttention(2, 1))
    model = nn.ModuleDict(dict(head=head)).train()
    with loss_evaluation_mode(model):
        assert [module.training for module in head] == [True, False, False, False]
    with eval_mode(model):
        assert not model.training
    assert all(module.training for module in model.modules())


def test_a_stub_inside_a_stub_gives_way_to_the_outer_one():
    layer = nn.Identity()
    with stub_method(layer, 'forward', 1):
        with stub_method(layer, 'forward', 2):
            assert layer(0) == 2
        assert layer(0) == 1
    assert layer(0) == 0
