import pytest
import torch
from torch import nn

from mmal.influence.parameters import flatten, gradient, restrict_grad, select_parameters, unflatten


@pytest.fixture
def model():
    return nn.ModuleDict(dict(neck=nn.Linear(3, 3), bbox_head=nn.ModuleDict(dict(
        conv_cls=nn.Linear(3, 2), conv_reg=nn.Linear(3, 4), conv_reg2=nn.Linear(3, 4)))))


@pytest.mark.parametrize(('pattern', 'expected'), [
    ('bbox_head.conv_cls', ['bbox_head.conv_cls.weight', 'bbox_head.conv_cls.bias']),
    ('bbox_head.conv_reg', ['bbox_head.conv_reg.weight', 'bbox_head.conv_reg.bias']),
    ('bbox_head.conv_reg.weight', ['bbox_head.conv_reg.weight']),
    ('*conv_reg*.bias', ['bbox_head.conv_reg.bias', 'bbox_head.conv_reg2.bias']),
])
def test_pattern_is_name_module_or_wildcard(model, pattern, expected):
    assert list(select_parameters(model, [pattern])) == expected


def test_each_parameter_once_in_the_models_order(model):
    names = list(select_parameters(model, ['bbox_head.conv_reg', 'neck', 'neck.weight']))
    assert names == ['neck.weight', 'neck.bias', 'bbox_head.conv_reg.weight', 'bbox_head.conv_reg.bias']


def test_unmatched_pattern_lists_nearest_names(model):
    with pytest.raises(ValueError, match=r"'bbox_head.conv_clss'.*Nearest names:.*bbox_head.conv_cls"):
        select_parameters(model, ['neck', 'bbox_head.conv_clss'])
    with pytest.raises(ValueError, match='bbox_head.conv_cls'):
        select_parameters(model, ['conv_cls'])


def test_no_pattern_is_an_error(model):
    with pytest.raises(ValueError, match='empty'):
        select_parameters(model, [])


def test_restrict_grad_restores_also_after_an_error(model):
    params = select_parameters(model, ['neck'])
    model.neck.weight.requires_grad_(False)
    before = {n: p.requires_grad for n, p in model.named_parameters()}
    with pytest.raises(RuntimeError), restrict_grad(model, params):  # noqa: PT012
        assert [n for n, p in model.named_parameters() if p.requires_grad] == ['neck.weight', 'neck.bias']
        raise RuntimeError
    assert before == {n: p.requires_grad for n, p in model.named_parameters()}


def test_gradient_of_unreached_parameters_is_zero(model):
    params = select_parameters(model, ['bbox_head.conv_cls', 'neck'])
    x = torch.randn(5, 3)
    grad = unflatten(gradient(model.bbox_head.conv_cls(x).sum(), params), params)
    assert torch.allclose(grad['bbox_head.conv_cls.weight'], x.sum(0).expand(2, 3))
    assert not grad['neck.weight'].any()
    assert not gradient(torch.tensor(1.0), params).any()


def test_flatten_and_unflatten_are_inverse(model):
    params = dict(model.named_parameters())
    back = unflatten(flatten(params), params)
    assert all(torch.equal(back[n], p) for n, p in params.items())
    with pytest.raises(ValueError, match='Expected a vector of'):
        unflatten(torch.zeros(3), params)


def test_frozen_parameters_are_left_out_and_a_wholly_frozen_pattern_is_refused(model):
    model.neck.weight.requires_grad_(False)
    assert list(select_parameters(model, ['neck'])) == ['neck.bias']
    model.neck.bias.requires_grad_(False)
    with pytest.raises(ValueError, match="'neck' matches frozen parameters only"):
        select_parameters(model, ['bbox_head', 'neck'])
