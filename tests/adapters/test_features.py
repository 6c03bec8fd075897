"""Features against what the models themselves compute."""

import pytest
import torch

from mmal.adapters.classification.model import ClassificationAdapter
from mmal.adapters.detection.model import DetectionAdapter
from mmal.adapters.detection.predict import box_features
from mmal.adapters.model_modes import eval_mode
from mmal.errors import InputError
from tests.adapters.classification.test_model import item as picture
from tests.adapters.detection.test_detectors import item
from tests.adapters.models_under_test import CLASSIFIERS, DETECTORS, build_classifier, build_detector


@pytest.mark.parametrize('name', CLASSIFIERS)
def test_of_a_classifier_the_feature_before_the_last_layer(name):
    model = build_classifier(name)
    task, items = ClassificationAdapter(model, lambda text: None), [picture(i) for i in range(3)]
    found = task.features(items)
    data = model.data_preprocessor(dict(inputs=[i['inputs'] for i in items]), False)
    with torch.no_grad(), eval_mode(model):
        expected = model.head.pre_logits(model.extract_feat(data['inputs']))
    last = [m for m in model.head.modules() if isinstance(m, torch.nn.Linear)][-1]
    if expected.shape[1] != last.in_features:  # MobileNetV3: its head has a hidden layer
        assert found.shape == (3, last.in_features)
        return
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_of_fcos_both_branches_pooled_over_space_and_levels():
    model = build_detector('fcos')
    task, items = DetectionAdapter(model, lambda text: None), [item(0), item(1), item(2, (64, 96))]
    found = task.features(items)
    assert found.shape == (3, 32)
    for row, it in zip(found, items, strict=True):
        inputs, _ = task._prepare([it])
        with torch.no_grad(), eval_mode(model):
            branches = []
            for convs in (model.bbox_head.cls_convs, model.bbox_head.reg_convs):
                levels = []
                for x in model.extract_feat(inputs):
                    for conv in convs:
                        x = conv(x)
                    levels.append(x.mean((2, 3)))
                branches.append(torch.stack(levels).mean(0)[0])
        torch.testing.assert_close(row, torch.cat(branches), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('name', DETECTORS)
def test_every_detector_has_features_and_probabilities(name):
    task, items = DetectionAdapter(build_detector(name), lambda text: None), [item(0), item(1)]
    found = task.features(items)
    assert found.shape[0] == 2
    assert found.isfinite().all()
    assert not torch.equal(found[0], found[1])
    torch.testing.assert_close(task.features(items[::-1]).flip(0), found, rtol=1e-3, atol=1e-4)
    boxes = task.detect(items, 0.01, with_features=True)
    assert [len(p) for p in task.probabilities(items, 0.01)] == [len(b) for b in boxes]
    assert all(len(b.features) == len(b) for b in boxes)


def test_named_modules_and_their_maps():
    task = DetectionAdapter(build_detector('fcos'), lambda text: None)
    assert task.features([item(0)], ['neck']).shape == (1, 5 * 16)
    assert task.features([item(0)], ['backbone.layer1', 'backbone.layer2']).shape == (1, 8 + 16)
    with pytest.raises(InputError, match="no module 'necks'.*backbone, neck, bbox_head"):
        task.features([item(0)], ['necks'])


def test_a_box_is_read_off_its_level():
    """The one where its side is about eight cells, whatever the order of levels."""
    maps = [torch.full((1, 2, 16, 16), 1.0), torch.full((1, 2, 8, 8), 2.0)]
    maps[0][..., 8:] = 5.0
    boxes = torch.tensor([[0.0, 0, 40, 40], [80, 80, 120, 120], [0, 0, 120, 120]])
    for order in (maps, maps[::-1]):
        assert box_features(order, boxes, 128)[:, 0].tolist() == [1.0, 5.0, 2.0]
    assert box_features(maps, boxes[:0], 128).shape == (0, 2)
    uneven = [maps[1], maps[0], torch.zeros(1, 7, 4, 4)]
    assert box_features(uneven, boxes[:2], 128)[:, 0].tolist() == [1.0, 5.0]
    wide = [torch.ones(1, 4, 8, 8), torch.zeros(1, 7, 16, 16)]
    assert box_features(wide, boxes, 128).shape == (3, 7), 'the finest alone'


def test_probabilities_of_a_classifier():
    task = ClassificationAdapter(build_classifier('resnet_cifar'), lambda text: None)
    p = task.probabilities([picture(0), picture(1, size=40)])
    assert [tuple(row.shape) for row in p] == [(1, 5), (1, 5)]
    assert torch.cat(p).sum(1).tolist() == pytest.approx([1, 1])
