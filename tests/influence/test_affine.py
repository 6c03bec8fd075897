import pytest
import torch
from torch import nn

from mmal.influence.affine import AffineTape, NotAffine
from mmal.influence.parameters import gradient, unflatten
from tests.influence.problems import per_sample_derivatives


def test_tape_agrees_with_per_sample_gradients(detector_head):
    head, feats, params, s = detector_head
    with AffineTape(head, params) as tape:
        losses = head(feats)
    assert len(tape.calls) == 3
    fast = tape.derivative(losses.sum(), unflatten(s, params), 5)
    torch.testing.assert_close(fast, per_sample_derivatives(head, feats, params, s), rtol=1e-10, atol=1e-12)
    assert not any(m._forward_hooks for m in head.modules())


def test_tape_of_a_weight_alone_leaves_its_bias_out(detector_head):
    head, feats, params, _ = detector_head
    only = {'last.weight': params['last.weight']}
    s = torch.randn(only['last.weight'].numel(), dtype=torch.double)
    with AffineTape(head, only) as tape:
        losses = head(feats)
    fast = tape.derivative(losses.sum(), unflatten(s, only), 5)
    torch.testing.assert_close(fast, per_sample_derivatives(head, feats, only, s))


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


def test_nothing_is_recorded_without_gradients_and_nothing_used_is_zero(detector_head):
    head, feats, params, s = detector_head
    with AffineTape(head, params) as tape, torch.no_grad():
        head(feats)
    assert not tape.calls
    assert not tape.derivative(torch.ones(1, requires_grad=True).sum(), unflatten(s, params), 5).any()


def test_other_layers_are_refused_by_name(detector_head):
    head, _, _, _ = detector_head
    with pytest.raises(NotAffine, match='scale belongs to a Head'):
        AffineTape(head, {'scale': head.scale})


class Scaled(nn.Linear):
    """A linear layer with a parameter of its own."""

    def __init__(self):
        super().__init__(3, 2)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return super().forward(x) * self.scale


def test_a_parameter_that_a_subclass_adds_is_refused_by_name():
    model = nn.Sequential(Scaled())
    with pytest.raises(NotAffine, match='0.scale belongs to a Scaled'):
        AffineTape(model, dict(model.named_parameters()))
