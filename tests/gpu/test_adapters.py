"""Adapters on a GPU: against plain autograd there, against the processor, and alone against in a batch."""

import pytest
import torch

from mmal.adapters.base import PseudoLabels
from mmal.adapters.classification.model import ClassificationAdapter
from mmal.adapters.detection.model import DetectionAdapter
from mmal.influence.api import build_curvature, mean_gradient
from mmal.influence.parameters import restrict_grad, select_parameters
from mmal.models.learning_loss import ranking_loss
from tests.adapters.classification.test_model import ALL, check_classifier
from tests.adapters.classification.test_model import item as picture
from tests.adapters.detection.test_detectors import check_detector, item
from tests.adapters.models_under_test import DETECTORS, build_classifier, build_detector
from tests.models.test_learning_loss import on_the_neck_of

# float32 has an eps of 6e-8, and a sum of n terms in another order differs by about sqrt(n) eps: 1e-5 for the 1e5 terms
# of a convolution's weight gradient. A network stacks dozens of them. Values that nearly cancel are compared with the
# largest instead of with themselves.
RTOL = 1e-3
ATOL_OF_LARGEST = 1e-4


def assert_close(found, expected):
    expected = expected.detach().cpu()
    torch.testing.assert_close(found.detach().cpu(), expected, rtol=RTOL,
                               atol=ATOL_OF_LARGEST * float(expected.abs().max()))


@pytest.mark.gpu
@pytest.mark.parametrize('name', DETECTORS)
def test_a_detector_agrees_with_plain_autograd(name):
    check_detector(name, 'cuda')


@pytest.mark.gpu
@pytest.mark.parametrize('scope', ['last', 'all'])
@pytest.mark.parametrize('name', ALL)
def test_a_classifier_agrees_with_plain_autograd(name, scope):
    check_classifier(name, scope, 'cuda')


def adapter_and_items(name, device):
    if name in DETECTORS:
        adapter = DetectionAdapter(build_detector(name).to(device), lambda text: None)
        return adapter, [item(0), item(1)], [item(seed, boxes=False) for seed in (2, 3, 4, 5)]
    adapter = ClassificationAdapter(build_classifier(name).to(device), lambda text: None)
    return adapter, [picture(0, 1), picture(1, 3)], [picture(seed) for seed in (2, 3, 4, 5)]


def findings(name, device):
    """Losses, v and a product with the curvature."""
    adapter, labeled, _ = adapter_and_items(name, device)
    params = select_parameters(adapter.model, adapter.last_layers(labeled))
    with adapter.loss_mode(), restrict_grad(adapter.model, params):
        losses = adapter.losses(labeled).detach()
        v = mean_gradient(adapter.losses, [labeled], params)
        curvature = build_curvature(adapter.model, adapter.losses, [labeled], params, 'ggn', log=lambda text: None)
        h = torch.randn(v.numel(), generator=torch.Generator().manual_seed(0)).to(device)
        return losses, v, curvature.product(h)


# DINO draws its noisy queries on the device, whose random numbers are others.
@pytest.mark.parametrize('name', ['fcos', 'retinanet', 'atss', 'faster_rcnn', 'detr', 'resnet', 'vit'])
def test_losses_v_and_curvature_are_those_of_the_processor(name, device):
    found, expected = findings(name, device), findings(name, torch.device('cpu'))
    for a, b in zip(found, expected, strict=True):
        assert a.device.type == device.type
        assert_close(a, b)


@pytest.mark.parametrize('name', ['fcos', 'faster_rcnn', 'detr', 'dino', 'resnet', 'vit'])
def test_a_batch_of_four_scores_as_four_of_one(name, device):
    adapter, labeled, unlabeled = adapter_and_items(name, device)
    params = select_parameters(adapter.model, adapter.last_layers(labeled))
    size = sum(parameter.numel() for parameter in params.values())
    s = torch.randn(size, generator=torch.Generator().manual_seed(0)).to(device)
    rule = PseudoLabels(score_thr=0.05)
    with adapter.loss_mode(), restrict_grad(adapter.model, params):
        together, counts = adapter.pseudo_derivative(unlabeled, [2, 3, 4, 5], params, s, rule)
        alone = [adapter.pseudo_derivative([it], [i], params, s, rule) for i, it in enumerate(unlabeled, 2)]
    assert_close(together, torch.cat([values for values, _ in alone]))
    assert counts == [count for _, (count, ) in alone]


def test_learning_loss_trains_on_the_device(device):
    model = on_the_neck_of('fcos').to(device).train()
    items = [item(seed) for seed in range(4)]
    data = model.data_preprocessor(dict(inputs=[it['inputs'] for it in items],
                                        data_samples=[it['data_samples'] for it in items]), True)
    losses = model.loss(data['inputs'], data['data_samples'])
    assert losses['loss_prediction'].device.type == device.type
    model.parse_losses(losses)[0].backward()
    gradients = [p.grad for p in model.loss_prediction.parameters() if p.grad is not None]
    assert gradients
    assert all(bool(grad.isfinite().all()) for grad in gradients)
    pairs = torch.tensor([1.0, 0.2, 0.9, 0.5], device=device), torch.tensor([2.0, 1.0, 3.0, 1.0], device=device)
    assert float(ranking_loss(*pairs)) == pytest.approx(float(ranking_loss(*(t.cpu() for t in pairs))))
