"""The closed form against dense curvatures by torch.func, and against curvlinops, in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmal.influence.api import build_curvature
from mmal.influence.curvature import DoubleBackward
from mmal.influence.parameters import restrict_grad, select_parameters
from tests.influence.problems import (
    PROBLEMS,
    MultiLabel,
    Regression,
    Softmax,
    assert_close,
    closed_form,
    dense_ggn,
    dense_hessian,
    join,
    matrix,
)


@pytest.mark.usefixtures('float64')
@pytest.mark.parametrize(('kind', 'names'), PROBLEMS)
def test_closed_form_and_double_backward_equal_torch_func(kind, names):
    problem, batches = kind(), [kind.data(n) for n in (5, 3, 2)]
    params = select_parameters(problem, names)
    for curvature in closed_form(problem, params, batches), DoubleBackward(problem, batches, params):
        assert_close(matrix(curvature), dense_hessian(problem, params, batches), 1e-12)
        for i in range(3):
            assert_close(matrix(curvature, i), dense_hessian(problem, params, [batches[i]]), 1e-12)
        assert not curvature.product(torch.ones_like(join(params.values()))).requires_grad


@pytest.mark.usefixtures('float64')
@pytest.mark.parametrize(('kind', 'names'), PROBLEMS)
def test_ggn_is_the_clamped_hessian(kind, names):
    problem, batches = kind(), [kind.data(n) for n in (4, 3)]
    params = select_parameters(problem, names)
    curvature = closed_form(problem, params, batches, 'ggn')
    found, full = matrix(curvature), dense_hessian(problem, params, batches)
    assert curvature.clamped
    assert_close(found, dense_ggn(problem, params, batches), 1e-12)
    assert torch.linalg.eigvalsh(found)[0] > -1e-12
    convex = kind in (Softmax, MultiLabel, Regression)
    assert (float((found - full).norm() / full.norm()) < 1e-12) == convex
    assert (float(torch.linalg.eigvalsh(full)[0]) > -1e-12) == convex


@pytest.mark.usefixtures('float64')
@pytest.mark.parametrize(('kind', 'criterion'), [
    (Softmax, nn.CrossEntropyLoss()), (Regression, nn.MSELoss()), (MultiLabel, nn.BCEWithLogitsLoss())])
def test_products_equal_curvlinops(kind, criterion):
    curvlinops = pytest.importorskip('curvlinops', reason='optional: pip install curvlinops-for-pytorch==3.0.1')
    problem, batches = kind(), [kind.data(n) for n in (6, 4, 3)]
    model = nn.Sequential(problem.trunk, problem.head)
    data = [(x, y if kind is Softmax else F.one_hot(y, 4).double()) for x, y in batches]
    for names in ['head'], ['trunk', 'head']:
        params = select_parameters(problem, names)
        eye = torch.eye(len(join(params.values())))

        def theirs(operator, params=params, eye=eye):
            return getattr(curvlinops, operator)(model, criterion, list(params.values()), data) @ eye

        assert_close(matrix(DoubleBackward(problem, batches, params)), theirs('HessianLinearOperator'), 1e-12)
        if names == ['head']:
            assert_close(matrix(closed_form(problem, params, batches)), theirs('HessianLinearOperator'), 1e-12)
            assert_close(matrix(closed_form(problem, params, batches, 'ggn')), theirs('GGNLinearOperator'), 1e-12)


class Gated(nn.Module):
    """Some batches do not reach layer a."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(3, 1), nn.Linear(3, 1)

    def forward(self, x):
        return F.softplus((self.a if x.sum() > 0 else self.b)(input=x))[:, 0]


def test_batches_that_do_not_reach_the_layers_count_in_the_mean():
    net = Gated().double()
    params = select_parameters(net, ['a'])
    with restrict_grad(net, params):
        both = build_curvature(net, net, [torch.ones(2, 3).double(), -torch.ones(2, 3).double()], params,
                               log=lambda text: None)
        one = build_curvature(net, net, [torch.ones(2, 3).double()], params, log=lambda text: None)
    h = torch.randn(4).double()
    torch.testing.assert_close(both.product(h), one.product(h) / 2)


def test_confident_samples_in_float32_keep_the_closed_form():
    torch.manual_seed(0)
    x, y = torch.randn(64, 6), torch.randint(5, (64, ))
    net = nn.Linear(6, 5)
    net.weight.data.zero_()
    net.bias.data.zero_()
    log = []

    def confident(batch):
        return F.cross_entropy(net(batch[0]) + 14 * F.one_hot(batch[1], 5), batch[1], reduction='none')

    for size in (1, 32):
        build_curvature(net, confident, list(zip(x.split(size), y.split(size), strict=True)),
                        dict(net.named_parameters()), 'ggn', log=log.append)
    assert all('closed form' in line for line in log)
    assert float(confident((x, y)).max()) < 1e-5


class Attention(nn.Module):
    """Self-attention between two linear layers; fused, it has no second derivative."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.query, self.head = nn.Linear(1, 8), nn.Linear(8, 1)

    def forward(self, x):
        q = self.query(x[:, None, :, None])
        return self.head(F.scaled_dot_product_attention(q, q, q)).flatten(1).sum(1).square()


def test_fused_attention_behind_a_layer_gets_double_backward():
    net, log = Attention(), []
    params, x = dict(net.named_parameters()), torch.randn(4, 5)
    curvature = build_curvature(net, net, [x], params, log=log.append)
    assert isinstance(curvature, DoubleBackward)
    assert 'Curvature by double backward: derivative for' in log[0]
    assert curvature.product(torch.ones(25)).any()
