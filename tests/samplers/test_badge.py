import numpy as np
import pytest
import torch

from mmal.adapters.base import PseudoLabels
from mmal.adapters.classification.linear_factors import find_linear
from mmal.adapters.classification.model import ClassificationAdapter
from mmal.adapters.frozen_head.logistic_regression import LogisticRegression
from mmal.adapters.frozen_head.model import FrozenHeadAdapter
from mmal.influence.parameters import restrict_grad, select_parameters
from mmal.samplers.badge import BadgeSampler
from tests.adapters.classification.test_model import item, multi_label
from tests.adapters.models_under_test import build_classifier, classifier_cfg


@pytest.fixture
def case():
    return 'classification', dict(type='mmal.BadgeSampler')


def test_of_a_classifier_it_is_the_papers_gradient_embedding():
    """(p - onehot of the most probable class) times the feature before the last layer."""
    model = build_classifier('resnet_cifar')
    adapter, items = ClassificationAdapter(model, lambda text: None), [item(i) for i in range(3)]
    params = select_parameters(model, ['head.fc.weight'])
    with adapter.loss_mode():
        found = adapter.pseudo_gradients(items, [0, 1, 2], params, PseudoLabels())
    p, h = torch.cat(adapter.probabilities(items)), adapter.features(items)
    expected = (p - torch.nn.functional.one_hot(p.argmax(1), 5))[:, :, None] * h[:, None]
    torch.testing.assert_close(found, expected.flatten(1), rtol=1e-4, atol=1e-6)


def outer(factors, params, weight):
    """The gradient in weight and bias, as pseudo_gradients orders it."""
    left, right = factors
    width = params[weight].shape[1]
    parts = [(left[:, :, None] * right[:, None, :width]).flatten(1)]
    if len(params) > 1:
        parts.append(left * right[:, width:])
    return torch.cat(parts, 1)


def kind_of(name):
    """A small classifier: of a family, with soft labels, or with several labels."""
    if name == 'soft labels':
        cfg = classifier_cfg('resnet_cifar')
        cfg.head.loss = dict(type='CrossEntropyLoss', use_soft=True)
        return build_classifier(cfg)
    if name == 'several labels':
        return multi_label()
    return build_classifier(name)


@pytest.mark.parametrize('top_k', [1, 3])
@pytest.mark.parametrize('name', ['resnet_cifar', 'vit', 'mobilenet_v3', 'soft labels', 'several labels'])
def test_factors_of_a_last_linear_layer_are_those_of_its_gradient(name, top_k):
    model = kind_of(name)
    adapter, items = ClassificationAdapter(model, lambda text: None), [item(i) for i in range(3)]
    params = select_parameters(model, adapter.output_layers(items))
    rule = PseudoLabels(top_k=top_k)
    with adapter.loss_mode(), restrict_grad(model, params):
        expected = adapter.pseudo_gradients(items, [0, 1, 2], params, rule)
        factors = adapter.pseudo_gradient_factors(items, params, rule)
    weight = next(name for name in params if name.endswith('weight'))
    torch.testing.assert_close(outer(factors, params, weight), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('names', [['fc.weight', 'fc.bias'], ['fc.weight']])
@pytest.mark.parametrize('several', [False, True])
def test_factors_of_a_refitted_head_are_those_of_its_gradient(names, several):
    rng = np.random.default_rng(0)
    layer = LogisticRegression(rng.normal(size=(4, 6)), rng.normal(size=4), l2=1.0, several_labels=several)
    x = torch.randn(5, 6)
    adapter = FrozenHeadAdapter(layer, lambda rows: x[list(rows)], lambda rows: None)
    params = select_parameters(adapter.model, names)
    factors = adapter.pseudo_gradient_factors(range(5), params, PseudoLabels())
    expected = adapter.pseudo_gradients(range(5), range(5), params, PseudoLabels())
    torch.testing.assert_close(outer(factors, params, 'fc.weight'), expected)
    bias = select_parameters(adapter.model, ['fc.bias'])
    assert adapter.pseudo_gradient_factors(range(5), bias, PseudoLabels()) is None


def test_only_one_plain_linear_layer_has_such_factors():
    class Normed(torch.nn.Linear):
        pass

    model = torch.nn.ModuleDict(dict(a=torch.nn.Linear(2, 3), b=Normed(2, 3), c=torch.nn.Conv2d(1, 1, 1)))
    assert find_linear(model, ['a.weight', 'a.bias']) is model.a
    for names in (['a.weight'], ['b.weight', 'b.bias'], ['c.weight', 'c.bias'], ['a.weight', 'a.bias', 'b.weight'], []):
        assert find_linear(model, names) is None


def test_a_layer_that_is_used_twice_for_an_image_has_none():
    model = build_classifier('resnet_cifar')
    adapter, items = ClassificationAdapter(model, lambda text: None), [item(0)]
    params = select_parameters(model, adapter.output_layers(items))
    forward = model.head.forward
    model.head.forward = lambda feats: forward(feats) + forward(feats)
    with adapter.loss_mode(), restrict_grad(model, params):
        assert adapter.pseudo_gradient_factors(items, params, PseudoLabels()) is None


def test_the_choice_by_factors_is_that_by_whole_gradients(ask, monkeypatch):
    by_factors = ask(BadgeSampler(dim=1), budget=6)
    monkeypatch.setattr(ClassificationAdapter, 'pseudo_gradient_factors', lambda *args: None)
    whole = ask(BadgeSampler(dim=10**6), budget=6)
    assert by_factors.order == whole.order
    assert by_factors.value == pytest.approx(whole.value, rel=1e-4, abs=1e-9)
    assert ask(BadgeSampler(dim=1), budget=6).value != pytest.approx(whole.value, rel=1e-4), 'a sketch is none'


def test_settings_out_of_range():
    with pytest.raises(ValueError, match='BadgeSampler'):
        BadgeSampler(dim=0)
