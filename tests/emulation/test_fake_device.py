"""The fake device refuses what CUDA refuses, and computes what the CPU computes."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

REFUSED = dict(
    target=lambda d: F.cross_entropy(torch.ones(2, 3, device=d), torch.tensor([0, 1])),
    numpy=lambda d: torch.ones(2, device=d).numpy(),
    array=lambda d: np.asarray(torch.ones(2, device=d)),
    sum=lambda d: torch.ones(2, 3, device=d) + torch.ones(2, 3),
    stack=lambda d: torch.stack([torch.ones((), device=d), torch.ones(())]),
    generator_of_the_cpu=lambda d: torch.randn(3, generator=torch.Generator(), device=d),
    generator_of_the_device=lambda d: torch.randn(3, generator=torch.Generator(device=d)),
    index_of_the_device=lambda d: torch.ones(3)[torch.tensor([0], device=d)],
    index_add=lambda d: torch.zeros(3, device=d).index_add_(0, torch.tensor([0]), torch.ones(1, device=d)),
    module=lambda d: nn.Linear(2, 2).to(d)(torch.ones(1, 2)))

ALLOWED = dict(
    scalar=lambda d: torch.ones(2, device=d) + torch.tensor(1.0),
    index_of_the_cpu=lambda d: torch.ones(3, device=d)[torch.tensor([0])],
    list_index=lambda d: torch.ones(3, device=d)[[0, 1]],
    copy=lambda d: torch.ones(3, device=d).copy_(torch.zeros(3)),
    slice_of_the_cpu=lambda d: torch.zeros(3, device=d).__setitem__(slice(2), torch.ones(2)),
    generator=lambda d: torch.randn(3, generator=torch.Generator(device=d).manual_seed(0), device=d))


@pytest.mark.parametrize('what', REFUSED)
def test_refused(accelerator, what):
    with pytest.raises((RuntimeError, TypeError), match='device|cuda|numpy'):
        REFUSED[what](accelerator.device)


@pytest.mark.parametrize('what', ALLOWED)
def test_allowed(accelerator, what):
    ALLOWED[what](accelerator.device)


def small_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()


def test_a_model_is_moved_and_differentiated_twice(accelerator):
    """The second derivative is that of the CPU."""
    x, target = torch.randn(2, 3, 8, 8), torch.tensor([0, 2])

    def products(model, device):
        params = list(model.parameters())
        loss = F.cross_entropy(model(x.to(device)), target.to(device))
        grads = torch.autograd.grad(loss, params, create_graph=True)
        inner = sum((g * torch.ones_like(g)).sum() for g in grads)
        return torch.autograd.grad(inner, params)

    expected = products(small_net(), 'cpu')
    model = small_net().to(accelerator.device)
    assert all(p.device == accelerator.device and p.is_cuda for p in model.parameters())
    assert all(isinstance(p, nn.Parameter) for p in model.parameters())
    assert all(p.is_cuda for p in copy.deepcopy(model).parameters())
    found = products(model, accelerator.device)
    assert all(g.is_cuda for g in found)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.cpu(), b, rtol=1e-4, atol=1e-5)
    assert not any(p.is_cuda for p in model.cpu().parameters())


def test_forward_mode_differentiation(accelerator):
    from torch.autograd import forward_ad
    weight, tangent, x = torch.randn(3, 4), torch.randn(3, 4), torch.randn(2, 4)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(weight.to(accelerator.device), tangent.to(accelerator.device))
        found = forward_ad.unpack_dual(F.linear(x.to(accelerator.device), dual)).tangent
    assert found.is_cuda
    torch.testing.assert_close(found.cpu(), F.linear(x, tangent), rtol=1e-3, atol=1e-4)


def test_a_generator_of_the_device_is_seeded(accelerator):
    def draw(seed):
        generator = torch.Generator(device=accelerator.device).manual_seed(seed)
        return torch.randn(5, generator=generator, device=accelerator.device).tolist()

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
