"""The whole engine on small torch models, against per-sample autograd."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmal.influence.api import Influence, build_curvature
from mmal.influence.parameters import gradient, restrict_grad, select_parameters
from mmal.influence.solvers.cg import CG
from mmal.influence.solvers.identity import Identity
from mmal.influence.solvers.lissa import LiSSA


class Net(nn.Module):

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Tanh())
        self.cls, self.box = nn.Conv2d(4, 3, 1), nn.Conv2d(4, 4, 3, padding=1)
        self.double().eval()

    def forward(self, x):
        feats = [self.body(F.avg_pool2d(x, k)) for k in (1, 2)]
        return [(self.cls(f), self.box(f).exp()) for f in feats]


def losses(net, batch):
    x, t = batch
    total = 0
    for cls, box in net(x):
        iou = -torch.log((box.sum(1) + 1) / (box.prod(1) + 2 * box.sum(1) + 2))
        total = total + F.softplus(cls).flatten(1).sum(1) + iou.flatten(1).sum(1) * t
    return total


def plain(net, influence, s):
    """I(z) by one backward pass a sample."""
    with restrict_grad(net, influence.params):
        return torch.stack([-(gradient(loss, influence.params, retain_graph=True) @ s) for loss in losses(net, (X, T))])


X, T = torch.randn(7, 1, 6, 6, dtype=torch.double), torch.rand(7, dtype=torch.double)
TRAIN = [(X[:4], T[:4]), (X[4:], T[4:])]
EXPECTED = dict(last=(None, 'output'), inner=(['body.0', 'cls'], 'output'), norm=(['body'], 'forward'),
                all=(['*'], 'forward'))


@pytest.mark.parametrize('case', EXPECTED)
@pytest.mark.parametrize('solver', [CG(damping=50.0), Identity()])
def test_scores_are_minus_s_test_times_the_gradient(case, solver):
    params, method = EXPECTED[case]
    net, log = Net(), []
    influence = Influence(net, losses, params, solver, log.append)
    s = influence.fit(TRAIN, [(X, T)]).x
    expected = plain(net, influence, s)
    torch.testing.assert_close(influence.scores((X, T)), expected, rtol=1e-9, atol=1e-10)
    assert influence.method == method
    assert f'Directional derivative: by {method}' in log
    torch.testing.assert_close(influence.scores((X[:1], T[:1])), expected[:1], rtol=1e-9, atol=1e-10)
    order = torch.randperm(7)
    torch.testing.assert_close(influence.scores((X[order], T[order])), expected[order], rtol=1e-9, atol=1e-10)


class Opaque(torch.autograd.Function):
    """Like a compiled operator: a backward, but no forward derivative."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


def test_an_operator_without_forward_derivative_takes_the_backward_way():
    net, log = Net(), []
    net.body.register_forward_hook(lambda m, args, out: Opaque.apply(out))
    influence = Influence(net, losses, ['body'], Identity(), log.append)
    s = influence.fit(TRAIN, [(X, T)]).x
    expected = plain(net, influence, s)
    torch.testing.assert_close(influence.scores((X, T)), expected)
    assert influence.method == 'backward'
    assert any('not by forward' in line for line in log)


class BehindTheBack(Net):
    """Uses the weight of a layer without calling the layer: no hook sees it."""

    def forward(self, x):
        f = self.body(x)
        return [(F.conv2d(f, self.cls.weight, self.cls.bias), self.box(f).exp())]


def test_weights_used_behind_a_layers_back_are_noticed():
    net, log = BehindTheBack(), []
    influence = Influence(net, losses, ['cls', 'box'], CG(damping=50.0), log.append)
    s = influence.fit(TRAIN, [(X, T)]).x
    assert 'Curvature by double backward' in log[0]
    expected = plain(net, influence, s)
    torch.testing.assert_close(influence.scores((X, T)), expected)
    assert influence.method == 'forward'
    assert any('differs from plain autograd' in line for line in log)


def test_a_layer_that_feeds_another_gets_double_backward():
    net, log = Net(), []
    net.body[1] = nn.Identity()
    Influence(net, losses, ['body.0', 'cls', 'box'], LiSSA(depth=2, repeats=1), log.append).fit(TRAIN, [(X, T)])
    assert 'Curvature by double backward: the closed form gives' in log[0]


def test_fit_restores_every_flag_and_leaves_no_gradient():
    net = Net()
    net.body[0].weight.requires_grad_(False)
    influence = Influence(net, losses, log=lambda text: None)
    influence.fit(TRAIN, [(X, T)])
    influence.scores((X, T))
    assert [n for n, p in net.named_parameters() if not p.requires_grad] == ['body.0.weight']
    assert all(p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks for m in net.modules())


def test_no_grad_around_it_changes_nothing():
    net = Net()
    influence = Influence(net, losses, log=lambda text: None)
    with torch.no_grad():
        s = influence.fit(TRAIN, [(X, T)]).x
        scores = influence.scores((X, T))
    torch.testing.assert_close(scores, plain(net, influence, s))
    assert scores.abs().min() > 0


class SequenceFirst(nn.Module):
    """Its layer's output has the samples in dimension 1."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x):
        return self.fc(x.transpose(0, 1)).transpose(0, 1)


def test_a_first_batch_of_one_sample_settles_nothing():
    net, x, log = SequenceFirst().double().eval(), torch.randn(6, 4, 3).double(), []
    influence = Influence(net, lambda net, b: F.softplus(net(b)).sum((1, 2)), log=log.append)
    s = influence.fit([x], [x]).x
    influence.scores(x[:1])
    assert influence.method == 'output'
    with restrict_grad(net, influence.params):
        per_sample = F.softplus(net(x)).sum((1, 2))
        expected = torch.stack([-(gradient(loss, influence.params, retain_graph=True) @ s) for loss in per_sample])
    torch.testing.assert_close(influence.scores(x), expected)
    assert influence.method == 'forward'


def test_an_unready_model_is_left_as_it_was():
    net = Net()
    net.train()
    before = net.body[1].running_mean.clone()
    with pytest.raises(ValueError, match='train mode'):
        Influence(net, losses).fit(TRAIN, [(X, T)])
    assert torch.equal(net.body[1].running_mean, before)


def test_what_the_device_has_left_bounds_what_is_cached_there_and_not_the_batches():
    net, log = Net(), []
    for patterns, n_batches in ((['cls', 'box'], 1), (['*'], 2)):
        params = select_parameters(net, patterns)
        with restrict_grad(net, params):
            curvature = build_curvature(net, lambda b: losses(net, b), TRAIN, params, log=log.append,
                                        max_device_bytes=1)
        assert len(curvature) == n_batches


def test_memory_bounds_the_batches_of_double_backward():
    net, log = Net(), []
    params = select_parameters(net, ['*'])
    with restrict_grad(net, params):
        small = build_curvature(net, lambda b: losses(net, b), TRAIN, params, max_bytes=1, log=log.append)
        whole = build_curvature(net, lambda b: losses(net, b), TRAIN, params, log=log.append)
    assert (len(small), len(whole)) == (1, 2)
