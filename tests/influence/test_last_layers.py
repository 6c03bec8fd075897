import pytest
import torch
from torch import nn

from mmal.influence.last_layers import find_last_layers


class Model(nn.Module):

    def __init__(self):
        super().__init__()
        self.stem, self.cls, self.reg = nn.Linear(3, 4), nn.Linear(4, 2), nn.Linear(4, 2)
        self.norm, self.scale, self.unused = nn.LayerNorm(2), nn.Parameter(torch.ones(1)), nn.Linear(4, 2)

    def forward(self, x):
        f = self.stem(x).relu()
        reg = self.reg(f)
        reg += self.unused(f).detach()
        return self.norm(self.cls(f)).sum() + (reg * self.scale).exp().sum()


def test_passes_over_norms_and_factors_and_follows_nothing_detached():
    model = Model()
    loss = lambda: model(torch.ones(2, 3))  # noqa: E731
    assert find_last_layers(model, loss) == ['cls.weight', 'cls.bias', 'reg.weight', 'reg.bias']
    assert not any(m._forward_hooks for m in model.modules())


def test_frozen_layers_are_left_out_and_flags_are_restored():
    model = Model()
    model.cls.requires_grad_(False)
    model.reg.bias.requires_grad_(False)
    assert find_last_layers(model, lambda: model(torch.ones(2, 3))) == ['reg.weight']
    assert not model.cls.weight.requires_grad
    model.requires_grad_(False)
    with pytest.raises(ValueError, match='all of them are frozen'):
        find_last_layers(model, lambda: model(torch.ones(2, 3)))


def test_a_loss_without_a_layer_is_an_error():
    with pytest.raises(ValueError, match='No trainable'):
        find_last_layers(nn.Linear(1, 1), lambda: torch.ones((), requires_grad=True) * 2)
