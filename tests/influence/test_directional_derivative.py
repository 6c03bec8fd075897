import pytest
import torch
from mmal.influence.affine import AffineTape, NotAffine
from mmal.influence.directional_derivative import agree, output_derivative, outputs_and_tangents
from mmal.influence.parameters import gradient, unflatten
from torch import nn


class Head(nn.Module):
    """A conv used on two levels, as in a detector, a linear layer that shares no input, and a learnable scale."""

    def __init__(self):
        super().__init__()
        self.stem, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 3, padding=1)
        self.fc, self.scale = nn.Linear(3, 2, bias=False), nn.Parameter(torch.tensor(1.5))

    def forward(self, feats):
        outs = [self.last(self.stem(f).relu()) for f in feats]
        outs[0] += 1.0  # in place, as some heads do
        return sum((o.exp() * self.scale).flatten(1).mean(1) for o in outs) + self.fc(feats[0].mean((2, 3))).prod(1)


LAST = ('last.weight', 'last.bias', 'fc.weight')


@pytest.fixture
def setup():
    torch.manual_seed(0)
    head = Head().double()
    feats = [torch.randn(5, 3, s, s, dtype=torch.double) for s in (6, 3)]
    params = {n: p for n, p in head.named_parameters() if n in LAST}
    return head, feats, params, torch.randn(sum(p.numel() for p in params.values()), dtype=torch.double)


def slow(head, feats, params, s):
    return torch.stack([gradient(loss, params, retain_graph=True) @ s for loss in head(feats)])


def test_tape_agrees_with_per_sample_gradients(setup):
    head, feats, params, s = setup
    with AffineTape(head, params) as tape:
        losses = head(feats)
    assert len(tape.calls) == 3
    fast = tape.derivative(losses.sum(), unflatten(s, params), 5)
    torch.testing.assert_close(fast, slow(head, feats, params, s), rtol=1e-10, atol=1e-12)
    assert not any(m._forward_hooks for m in head.modules())


def test_tape_of_a_weight_alone_leaves_its_bias_out(setup):
    head, feats, params, _ = setup
    only = {'last.weight': params['last.weight']}
    s = torch.randn(only['last.weight'].numel(), dtype=torch.double)
    with AffineTape(head, only) as tape:
        losses = head(feats)
    torch.testing.assert_close(tape.derivative(losses.sum(), unflatten(s, only), 5), slow(head, feats, only, s))


def test_a_weight_shared_by_two_layers_counts_in_both():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3)).double()
    model[2].weight = model[0].weight
    params, x = {'0.weight': model[0].weight}, torch.randn(4, 3).double()
    s = torch.randn(9).double()
    with AffineTape(model, params) as tape:
        losses = model(x).square().sum(1)
    expected = torch.stack([gradient(loss, params, retain_graph=True) @ s for loss in model(x).square().sum(1)])
    torch.testing.assert_close(tape.derivative(losses.sum(), unflatten(s, params), 4), expected)


def test_nothing_is_recorded_without_gradients_and_nothing_used_is_zero(setup):
    head, feats, params, s = setup
    with AffineTape(head, params) as tape, torch.no_grad():
        head(feats)
    assert not tape.calls
    assert not tape.derivative(torch.ones(1, requires_grad=True).sum(), unflatten(s, params), 5).any()


def test_other_layers_are_refused_by_name(setup):
    head, _, _, _ = setup
    with pytest.raises(NotAffine, match='scale belongs to a Head'):
        AffineTape(head, {'scale': head.scale})


def test_forward_mode_agrees_for_all_parameters(setup):
    head, feats, _, _ = setup
    params = dict(head.named_parameters())
    s = torch.randn(sum(p.numel() for p in params.values()), dtype=torch.double)
    output, tangent = outputs_and_tangents(head, (feats, ), unflatten(s, params))
    torch.testing.assert_close(output, head(feats))
    torch.testing.assert_close(tangent, slow(head, feats, params, s), rtol=1e-10, atol=1e-12)
    squared = output_derivative(lambda out: out.square(), output, tangent)
    torch.testing.assert_close(squared, 2 * output * tangent)
    assert all(p.grad is None for p in head.parameters())


def test_agreement_is_on_the_scale_of_both_vectors():
    s = torch.tensor([3.0, 4.0])
    assert agree(torch.tensor(1.0), torch.tensor(1.004), s, 1.0)
    assert not agree(torch.tensor(1.0), torch.tensor(1.006), s, 1.0)
    assert agree(torch.tensor(torch.nan), torch.tensor(torch.nan), s, 1.0)
    assert not agree(torch.tensor(torch.nan), torch.tensor(1.0), s, 1.0)
