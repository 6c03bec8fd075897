"""Every kind of classifier on an accelerator: s_test, influence by all ways, gradients, predictions, features."""

import pytest
import torch

from mmal.adapters.base import PseudoLabels
from mmal.adapters.classification.model import ClassificationAdapter
from mmal.explain.attribution import InfluenceAttribution
from mmal.influence.api import build_curvature, mean_gradient
from mmal.influence.parameters import restrict_grad, select_parameters, unflatten
from mmal.influence.solvers.cg import CG
from tests.adapters.classification.test_model import item, multi_label
from tests.adapters.models_under_test import build_classifier, classifier_cfg


def soft_labels():
    cfg = classifier_cfg('resnet_cifar')
    cfg.head.loss = dict(type='CrossEntropyLoss', use_soft=True)
    return build_classifier(cfg)


def loss_of_its_own():
    cfg = classifier_cfg('resnet_cifar')
    cfg.head = dict(type='ArcFaceClsHead', num_classes=5, in_channels=64, loss=dict(type='CrossEntropyLoss'))
    return build_classifier(cfg)


MODELS = dict(one_label=lambda: build_classifier('resnet_cifar'), vit=lambda: build_classifier('vit'),
              soft_labels=soft_labels, several_labels=multi_label, loss_of_its_own=loss_of_its_own)


def labels_of(name):
    return [[1, 3], [0], [4]] if name == 'several_labels' else [1, 0, 4]


def everything(name, device, top_k, scope):
    """All that a run asks of a classifier, as tensors of the CPU."""
    model = MODELS[name]().to(device)
    adapter, rule = ClassificationAdapter(model, lambda text: None), PseudoLabels(top_k=top_k)
    labeled = [item(i, label) for i, label in enumerate(labels_of(name))]
    unlabeled, ids = [item(i) for i in (5, 6, 7)], [5, 6, 7]
    params = select_parameters(model, adapter.last_layers(labeled[:1]) if scope == 'last' else ['*'])
    found = {}
    with adapter.loss_mode(), restrict_grad(model, params):
        found['v'] = v = mean_gradient(adapter.losses, [labeled[:2], labeled[2:]], params)
        if scope == 'last':
            curvature = build_curvature(model, adapter.losses, [labeled], params, 'ggn', log=lambda text: None)
            found['s_test'] = CG(tol=1e-2, max_iter=20).solve(v, curvature, log=lambda text: None).x
        direction = torch.randn(len(v), generator=torch.Generator().manual_seed(0)).to(v)
        for method in (None, 'backward'):
            if method:
                adapter.selector.settle(method)
            found[f'influence {method}'], counts = adapter.pseudo_derivative(unlabeled, ids, params, direction, rule)
        found['gradients'] = adapter.pseudo_gradients(unlabeled, ids, params, rule)
    assert all(tensor.device == v.device for tensor in found.values())
    found['features'] = adapter.features(unlabeled)
    found['probabilities'] = torch.stack(adapter.probabilities(unlabeled))
    found = {key: tensor.detach().cpu() for key, tensor in found.items()}
    parts = InfluenceAttribution(adapter, unflatten(direction, params), rule, 'abcde').attribute(unlabeled, ids)
    found['parts'] = torch.tensor([list(part['layers'].values()) for part in parts])
    found['counts'] = torch.tensor(counts)
    shown = adapter.predictions(unlabeled)
    found['shown'] = torch.tensor([[prediction['score'] for prediction in image] for image in shown])
    return found


CASES = [(name, 1, 'last') for name in MODELS] + [('one_label', 2, 'last'), ('soft_labels', 2, 'last'),
                                                  ('one_label', 1, 'all'), ('vit', 1, 'all')]


@pytest.mark.parametrize(('name', 'top_k', 'scope'), CASES)
def test_the_device_gives_what_the_cpu_gives(accelerator, name, top_k, scope):
    expected = everything(name, 'cpu', top_k, scope)
    found = everything(name, accelerator.device, top_k, scope)
    for key, tensor in expected.items():
        tolerance = 1e-3 * float(tensor.float().abs().max())
        torch.testing.assert_close(found[key], tensor, rtol=1e-3, atol=tolerance,
                                   msg=lambda text, key=key: f'{key}: {text}')
