"""Where an operator is differentiable once, a wrong curvature is refused; torch itself drops the share silently."""

import pytest
import torch
from torch import nn
from torch.autograd.function import once_differentiable

from mmal.influence.api import build_curvature
from mmal.influence.curvature import DoubleBackward, hvp
from mmal.influence.second_derivative import NotTwiceDifferentiable


class SquaredOnce(torch.autograd.Function):
    """x^2 whose gradient is marked as mmcv marks its compiled operators."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad


class Net(nn.Module):

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 3), nn.Linear(3, 1)

    def forward(self, x):
        return self.last(SquaredOnce.apply(self.first(x)))


def losses(model):
    return lambda batch: model(batch)[:, 0].square()


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Net()


def test_torch_itself_says_nothing():
    w = torch.ones(3, requires_grad=True)
    x = torch.tensor([1.0, 2.0, 3.0])
    (grad,) = torch.autograd.grad(SquaredOnce.apply(x * w).square().sum(), w, create_graph=True)
    (row_sums,) = torch.autograd.grad(grad.sum(), w, allow_unused=True, materialize_grads=True)
    assert row_sums.tolist() == [0, 0, 0], 'right are 12, 192, 972'


def test_a_product_is_refused_with_the_name_of_the_operator(model):
    x, params = torch.randn(4, 2), dict(model.named_parameters())
    vector = torch.ones(sum(p.numel() for p in params.values()))
    with pytest.raises(NotTwiceDifferentiable, match='SquaredOnce between the loss'):
        hvp(losses(model)(x).sum(), params, vector)
    with pytest.raises(NotTwiceDifferentiable, match='SquaredOnce'):
        DoubleBackward(losses(model), [x], params).product(vector)
    with pytest.raises(NotTwiceDifferentiable, match='SquaredOnce'):
        build_curvature(model, losses(model), [x], params, log=lambda text: None)


def test_layers_behind_the_operator_are_not_concerned(model):
    x = torch.randn(4, 2)
    params = {name: p for name, p in model.named_parameters() if name.startswith('last')}
    log = []
    curvature = build_curvature(model, losses(model), [x], params, log=log.append)
    features = torch.cat([model.first(x).square(), torch.ones(4, 1)], 1).detach()
    expected = 2 * features.T @ features / 4
    torch.testing.assert_close(torch.stack([curvature.product(row) for row in torch.eye(4)]), expected)
    assert 'closed form' in log[0]
