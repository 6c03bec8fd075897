"""Influence and predictions are those of float32 where convolutions would be made in TF32."""

import pytest
import torch
import torch.nn.functional as F

from mmal.adapters.base import PseudoLabels
from mmal.adapters.detection.model import DetectionAdapter
from mmal.influence.api import mean_gradient
from mmal.influence.parameters import restrict_grad, select_parameters
from tests.adapters.detection.test_detectors import item
from tests.adapters.models_under_test import build_detector
from tests.emulation.tf32 import conv2d

RULE = PseudoLabels(score_thr=0.05)


@pytest.fixture
def tf32(monkeypatch):
    assert torch.backends.cudnn.allow_tf32, "torch's default"
    monkeypatch.setattr(F, 'conv2d', conv2d)


def everything():
    model = build_detector('retinanet')
    adapter = DetectionAdapter(model, lambda text: None)
    items = [item(2, boxes=False), item(3, boxes=False)]
    params = select_parameters(model, adapter.last_layers([item(0)]))
    with adapter.loss_mode(), restrict_grad(model, params):
        v = mean_gradient(adapter.losses, [[item(0), item(1)]], params)
        influence, _ = adapter.pseudo_derivative(items, [2, 3], params, v, RULE)
    boxes = torch.cat([image.bboxes for image in adapter.detect(items)])
    return dict(v=v, influence=influence, features=adapter.features(items), boxes=boxes)


def test_the_emulation_rounds(tf32):
    x, weight = torch.randn(1, 3, 8, 8), torch.randn(4, 3, 3, 3, requires_grad=True)
    rounded = F.conv2d(x, weight)
    torch.backends.cudnn.allow_tf32 = False
    exact = F.conv2d(x, weight)
    torch.backends.cudnn.allow_tf32 = True
    difference = (rounded - exact).norm() / exact.norm()
    assert 1e-5 < difference < 1e-3
    (grad,) = torch.autograd.grad(rounded.square().sum(), weight, create_graph=True)
    assert torch.autograd.grad(grad.sum(), weight)[0].isfinite().all()


def test_what_mmal_computes_is_that_of_float32(request):
    expected = everything()
    request.getfixturevalue('tf32')
    found = everything()
    assert torch.backends.cudnn.allow_tf32, 'restored'
    for key, tensor in expected.items():
        assert torch.equal(found[key], tensor), key
