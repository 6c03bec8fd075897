"""Every detector the project promises on an accelerator: s_test, influence by all ways, detections, features."""

import pytest
import torch

from mmal.adapters import features
from mmal.adapters.base import PseudoLabels
from mmal.adapters.detection import dense_head, predict
from mmal.adapters.detection.model import DetectionAdapter
from mmal.explain.attribution import InfluenceAttribution
from mmal.influence.api import build_curvature, mean_gradient
from mmal.influence.parameters import restrict_grad, select_parameters, unflatten
from mmal.influence.solvers.cg import CG
from tests.adapters.detection.test_detectors import item
from tests.adapters.models_under_test import DETECTORS, build_detector

RULE = PseudoLabels(score_thr=0.05)


def everything(name, device):
    """All that a run asks of a detector, as tensors of the CPU."""
    model = build_detector(name).to(device)
    adapter = DetectionAdapter(model, lambda text: None)
    labeled, unlabeled, ids = [item(0), item(1)], [item(2, boxes=False), item(3, boxes=False)], [2, 3]
    params = select_parameters(model, adapter.last_layers(labeled))
    found = {}
    with adapter.loss_mode(), restrict_grad(model, params):
        found['v'] = v = mean_gradient(adapter.losses, [labeled], params)
        curvature = build_curvature(model, adapter.losses, [labeled], params, 'ggn', log=lambda text: None)
        found['s_test'] = CG(tol=1e-2, max_iter=5).solve(v, curvature, log=lambda text: None).x
        direction = torch.randn(len(v), generator=torch.Generator().manual_seed(0)).to(v)
        for method in (None, 'backward'):
            if method:
                adapter.selector.settle(method)
            found[f'influence {method}'], counts = adapter.pseudo_derivative(unlabeled, ids, params, direction, RULE)
        found['gradients'] = adapter.pseudo_gradients(unlabeled, ids, params, RULE)
    assert all(tensor.device == v.device for tensor in found.values())
    found['features'] = adapter.features(unlabeled)
    detections = adapter.detect(unlabeled, 0.05, with_features=True)
    for key in ('bboxes', 'scores', 'labels', 'features'):
        found[f'detected {key}'] = torch.cat([image[key] for image in detections])
    found['probabilities'] = torch.cat(adapter.probabilities(unlabeled))
    found = {key: tensor.detach().cpu() for key, tensor in found.items()}
    parts = InfluenceAttribution(adapter, unflatten(direction, params), RULE, 'abc').attribute(unlabeled, ids)
    found['parts'] = torch.tensor([list(part['layers'].values()) for part in parts])
    found['counts'] = torch.tensor(counts)
    shown = adapter.predictions(unlabeled)
    found['shown'] = torch.tensor([prediction['score'] for image in shown for prediction in image])
    return found


QUICK = ('fcos', 'faster_rcnn', 'detr')
"""One of each kind; the others take longer."""


@pytest.fixture
def same_layout(monkeypatch):
    """Images laid out as on a GPU: rounding errors of another layout give an untrained RPN other proposals."""
    for module in (dense_head, features, predict):
        monkeypatch.setattr(module, 'to_channels_last_on_cpu', lambda inputs: inputs)


@pytest.mark.usefixtures('same_layout')
@pytest.mark.parametrize('name', [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow)
                                  for name in DETECTORS])
def test_the_device_gives_what_the_cpu_gives(accelerator, name):
    expected = everything(name, 'cpu')
    found = everything(name, accelerator.device)
    for key, tensor in expected.items():
        tolerance = 1e-3 * float(tensor.float().abs().max()) if tensor.numel() else 0
        torch.testing.assert_close(found[key], tensor, rtol=1e-3, atol=tolerance,
                                   msg=lambda text, key=key: f'{key}: {text}')


def test_transfers_of_detections_and_their_features_are_as_many_for_two_images_as_for_four(accelerator):
    """In lines of mmal."""
    adapter = DetectionAdapter(build_detector('fcos').to(accelerator.device), lambda text: None)
    counts = []
    for n in (2, 4):
        with accelerator.own_transfers() as counter:
            adapter.detect([item(i, boxes=False) for i in range(n)], 0.05, with_features=True)
        counts.append(counter)
    assert counts[0]
    assert counts[0] == counts[1]
