import pytest
import torch
from torch import nn

from mmal.influence import (
    flatten,
    gradient,
    head_outputs_and_tangents,
    output_derivative,
    per_sample_derivative,
    unflatten,
)


class Head(nn.Module):
    """A conv used on two levels, as in a detector, and a learnable scale."""

    def __init__(self):
        super().__init__()
        self.stem, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 3, padding=1)
        self.scale = nn.Parameter(torch.tensor(1.5))

    def forward(self, feats):
        return [(self.last(self.stem(f).relu()) * self.scale).exp() for f in feats], [f.mean(1) for f in feats]


@pytest.fixture
def setup():
    torch.manual_seed(0)
    head = Head().double()
    feats = [torch.randn(5, 3, s, s, dtype=torch.double) for s in (6, 3)]
    params = {n: p for n, p in head.named_parameters() if n != 'stem.weight'}
    return head, feats, params, torch.randn(sum(p.numel() for p in params.values()), dtype=torch.double)


def losses_of(outs, i):
    return sum((o[i] ** 2).mean() for o in outs[0]) + outs[0][0][i].sum() * outs[1][0][i].sum()


def test_tangents_agree_with_per_sample_gradients(setup):
    head, feats, params, s = setup
    outs, tangents = head_outputs_and_tangents(head, (feats, ), unflatten(s, params))
    fast = output_derivative(torch.stack([losses_of(outs, i) for i in range(5)]), outs, tangents)
    slow = torch.stack([gradient(losses_of(head(feats), i), params) @ s for i in range(5)])
    torch.testing.assert_close(fast, slow, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(
        per_sample_derivative([lambda i=i: losses_of(head(feats), i) for i in range(5)], params, s), slow)


def test_outputs_are_the_heads_own(setup):
    head, feats, params, s = setup
    outs, tangents = head_outputs_and_tangents(head, (feats, ), unflatten(s, params))
    torch.testing.assert_close(outs, head(feats))
    assert [t is None for t in tangents] == [False, False, True, True]
    assert all(p.grad is None for p in head.parameters())


def test_direction_of_one_parameter_is_its_gradient(setup):
    head, feats, params, s = setup
    only = {'scale': params['scale']}
    outs, tangents = head_outputs_and_tangents(head, (feats, ), {'scale': torch.ones((), dtype=torch.double)})
    fast = output_derivative(torch.stack([losses_of(outs, i) for i in range(5)]), outs, tangents)
    slow = torch.cat([gradient(losses_of(head(feats), i), only) for i in range(5)])
    torch.testing.assert_close(fast, slow)
    assert flatten(only).shape == (1, )
