import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmal.adapters.classification.model import ClassificationAdapter
from mmal.adapters.predictions import boxes_in_image, top_labels
from tests.adapters.classification.test_model import item
from tests.adapters.models_under_test import build_classifier


def test_boxes_go_back_to_the_image_are_clipped_and_the_surest_comes_first():
    """The network saw 200 x 50 pixels stretched to 100 x 100."""
    found = InstanceData(bboxes=torch.tensor([[10.0, 20, 30, 40], [-5, 90, 120, 120]]), scores=torch.tensor([0.4, 0.9]),
                         labels=torch.tensor([1, 0]))
    sample = DetDataSample(metainfo=dict(ori_shape=(50, 200), scale_factor=(0.5, 2.0)))
    assert boxes_in_image(found, sample) == [dict(bbox=[0, 45, 200, 5], label=0, score=0.9),
                                             dict(bbox=[20, 10, 40, 10], label=1, score=0.4)]
    assert boxes_in_image(found[:0], sample) == []


def test_at_most_five_labels():
    p = torch.tensor([0.1, 0.3, 0.05, 0.25, 0.2, 0.1])
    assert [e['label'] for e in top_labels(p)][:3] == [1, 3, 4]
    assert len(top_labels(p)) == 5
    assert top_labels(p[:2]) == [dict(label=1, score=0.3), dict(label=0, score=0.1)]


def test_a_classifier_says_what_it_is_sure_of():
    task = ClassificationAdapter(build_classifier('resnet_cifar'), print)
    found = task.predictions([item(5), item(6)])
    p = task.probabilities([item(5)])[0][0]
    assert found[0][0]['label'] == int(p.argmax())
    assert [len(f) for f in found] == [5, 5]
