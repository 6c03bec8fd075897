"""Every solver, and a training step of learning loss, on an accelerator."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmal.influence.api import build_curvature
from mmal.influence.parameters import gradient
from mmal.models.learning_loss import LossPrediction, _loss_with_prediction
from tests.adapters.detection.test_detectors import item, public
from tests.adapters.models_under_test import build_detector
from tests.contracts.test_solvers import SOLVERS


def solve(name, device):
    """s_test of a small classifier."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))
    x, y = torch.randn(12, 3).to(device), (torch.arange(12) % 3).to(device)
    model.to(device)
    params = dict(model[2].named_parameters(prefix='2'))
    solver = copy.copy(SOLVERS[name])

    def losses(batch):
        return F.cross_entropy(model(x[batch]), y[batch], reduction='none')

    v = gradient(losses(slice(0, 4)).mean(), params)
    batches = [slice(4, 8), slice(8, 12)]
    curvature = build_curvature(model, losses, batches, params, solver.curvature, log=lambda text: None)
    found = solver.solve(v, curvature, log=lambda text: None).x
    assert found.device == v.device
    return found.cpu()


@pytest.mark.parametrize('name', SOLVERS)
def test_the_device_solves_what_the_cpu_solves(accelerator, name):
    torch.testing.assert_close(solve(name, accelerator.device), solve(name, 'cpu'), rtol=1e-2, atol=1e-3)


def training_step(device):
    """The module's loss and the norm of all gradients."""
    model = build_detector('fcos')
    model.loss_prediction = LossPrediction(['backbone.layer2', 'backbone.layer3'], [16, 32])
    model.to(device)
    pairs = [public(model, item(seed)) for seed in range(2)]
    inputs = torch.cat([image for image, _ in pairs])
    samples = [sample for _, (sample, ) in pairs]
    losses = _loss_with_prediction(inputs, samples, model=model, original=model.loss, weight=1.0, detach_at=None)
    total, _ = model.parse_losses(losses)
    total.backward()
    norm = sum(float(p.grad.square().sum()) for p in model.parameters() if p.grad is not None)
    return float(losses['loss_prediction']), norm


def test_learning_loss_trains(accelerator):
    assert training_step(accelerator.device) == pytest.approx(training_step('cpu'), rel=1e-2)
