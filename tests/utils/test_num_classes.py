"""The number of classes is set wherever a model has it, in the text of a config that inherits."""

from mmengine.config import ConfigDict

from mmal.utils.num_classes import overrides


def test_every_head_is_told_the_number_of_classes_but_the_proposal_head():
    model = ConfigDict(backbone=dict(type='R'), rpn_head=dict(type='RPNHead', num_classes=1),
                       roi_head=dict(bbox_head=[dict(num_classes=80, loss=dict(num_classes=80)), dict(other=1)]),
                       head=dict(num_classes=1000, topk=(1, 5)))
    text = overrides(model, 'm', 2)
    assert text == ('dict(roi_head=dict(bbox_head=[dict(m.roi_head.bbox_head[0], num_classes=len(classes), '
                    'loss=dict(m.roi_head.bbox_head[0].loss, num_classes=len(classes))), m.roi_head.bbox_head[1]]), '
                    'head=dict(num_classes=len(classes), topk=(1, )))')
    assert overrides(dict(backbone=dict(type='R')), 'm', 2) is None
