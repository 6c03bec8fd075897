"""Parts of influence: they add up to it, by layers and by classes."""

import pytest
import torch

from mmal.adapters.base import PseudoLabels
from mmal.adapters.classification.model import ClassificationAdapter
from mmal.adapters.detection.model import DetectionAdapter
from mmal.explain.attribution import InfluenceAttribution, class_of_rows
from mmal.influence.parameters import flatten, gradient, restrict_grad, select_parameters
from tests.adapters.classification import test_model as classifiers
from tests.adapters.detection import test_detectors as detectors
from tests.adapters.models_under_test import build_classifier, build_detector

CLASSES = ('ant', 'bee', 'cat')
RULE = PseudoLabels(score_thr=0.05)


def random_direction(params):
    torch.manual_seed(1)
    return {name: torch.randn_like(p) for name, p in params.items()}


@pytest.mark.parametrize(('name', 'layers', 'background'), [
    ('fcos', ['bbox_head.conv_cls'], False), ('retinanet', ['bbox_head.retina_cls'], False),
    ('faster_rcnn', ['roi_head.bbox_head.fc_cls'], True)])
def test_parts_of_a_detector_add_up_to_the_influence(name, layers, background):
    adapter = DetectionAdapter(build_detector(name), print)
    items = [detectors.item(i, boxes=False) for i in (2, 3)]
    params = select_parameters(adapter.model, adapter.last_layers([detectors.item(0)]))
    s_test = random_direction(params)
    with adapter.loss_mode(), restrict_grad(adapter.model, params):
        influence = -adapter.pseudo_derivative(items, [2, 3], params, flatten(s_test), RULE)[0]
    before = [p.requires_grad for p in adapter.model.parameters()]
    attribution = InfluenceAttribution(adapter, s_test, RULE, CLASSES)
    for value, parts in zip(influence.tolist(), attribution.attribute(items, [2, 3]), strict=True):
        assert sum(parts['layers'].values()) == pytest.approx(value, rel=1e-3, abs=1e-5)
        assert set(parts['layers']) == {n.rpartition('.')[0] for n in params}
        assert set(parts['classes']) <= {*CLASSES, *(['background'] if background else [])}
        assert sum(parts['classes'].values()) == pytest.approx(sum(parts['layers'][n] for n in layers), rel=1e-3,
                                                               abs=1e-5)
    assert before == [p.requires_grad for p in adapter.model.parameters()]


def test_the_part_of_a_class_is_that_of_its_rows():
    """A direction with rows of one class alone gives all of the influence to that class."""
    model = build_classifier('resnet_cifar')
    adapter, items = ClassificationAdapter(model, print), [classifiers.item(5)]
    params = select_parameters(model, ['head.fc'])
    s_test = {name: torch.zeros_like(p) for name, p in params.items()}
    for tensor in s_test.values():
        tensor[2] = 1.0
    parts = InfluenceAttribution(adapter, s_test, PseudoLabels(), 'abcde').attribute(items, [5])[0]
    with adapter.loss_mode(), restrict_grad(model, params):
        feats = model.extract_feat(adapter._prepare(items)[0])
        choices = adapter.head.choices_from_features(feats, PseudoLabels())
        slope = gradient(adapter.head.weighted_losses(feats, choices)[0][1], params)
    assert parts['classes'] == {'c': pytest.approx(float(-(slope @ flatten(s_test))), rel=1e-4)}
    assert parts['layers'] == {'head.fc': pytest.approx(parts['classes']['c'])}


def test_a_gradient_that_is_not_finite_has_no_parts():
    model = build_classifier('resnet_cifar')
    params = select_parameters(model, ['head.fc'])
    s_test = {name: torch.full_like(p, float('nan')) for name, p in params.items()}
    attribution = InfluenceAttribution(ClassificationAdapter(model, print), s_test, PseudoLabels(), 'abcde')
    assert attribution.attribute([classifiers.item(5)], [5]) == [None]


@pytest.mark.parametrize(('name', 'rows', 'classes', 'boxes', 'expected'), [
    ('bbox_head.conv_cls.weight', 3, 3, True, [0, 1, 2]),
    ('bbox_head.retina_cls.bias', 6, 3, True, [0, 1, 2, 0, 1, 2]),
    ('roi_head.bbox_head.fc_cls.weight', 4, 3, True, [0, 1, 2, 3]),
    ('bbox_head.conv_reg.weight', 4, 2, True, []), ('rpn_head.rpn_cls.weight', 3, 3, True, []),
    ('bbox_head.conv_cls.weight', 1, 1, True, []), ('head.fc.weight', 5, 5, False, [0, 1, 2, 3, 4]),
    ('head.fc.weight', 7, 5, False, [])])
def test_which_rows_are_whose(name, rows, classes, boxes, expected):
    assert class_of_rows(name, rows, classes, boxes) == expected
