"""Whether a config's model begins with trained weights, and by which key."""

import pytest
from mmengine.config import Config
from mmengine.model import PretrainedInit

from mmal.utils.pretrained import weights_key

PRETRAINED = dict(type='Pretrained', checkpoint='torchvision://resnet50')


@pytest.mark.parametrize(('cfg', 'key'), [
    (dict(model=dict(backbone=dict(type='ResNet', init_cfg=PRETRAINED))), 'model.backbone.init_cfg'),
    (dict(model=dict(backbone=dict(init_cfg=[dict(type='Kaiming'), PRETRAINED]))), 'model.backbone.init_cfg.1'),
    (dict(model=dict(backbone=dict(init_cfg=dict(type=PretrainedInit, checkpoint='a')))), 'model.backbone.init_cfg'),
    (dict(model=dict(init_cfg=PRETRAINED, backbone=dict())), 'model.init_cfg'),
    (dict(model=dict(backbone=dict(pretrained='torchvision://resnet50'))), 'model.backbone.pretrained'),
    (dict(model=dict(backbone=dict(pretrained=True))), 'model.backbone.pretrained'),
    (dict(model=dict(model=dict(backbone=dict(init_cfg=PRETRAINED)))), 'model.model.backbone.init_cfg'),
    (dict(model=dict(backbone=dict()), load_from='a.pth'), 'load_from'),
    (dict(model=dict(backbone=dict()), train_cfg=dict(checkpoint='a.pth')), 'train_cfg.checkpoint'),
    (dict(model=dict(backbone=dict(init_cfg=dict(type='Kaiming', layer='Conv2d'), pretrained=None))), None),
    (dict(model=dict(backbone=dict(), teacher_config=dict(backbone=dict(init_cfg=PRETRAINED)))), None),
    (dict(model=dict(backbone=dict()), load_from=None, train_cfg=dict(checkpoint=None)), None)])
def test_the_key_of_the_weights(cfg, key):
    assert weights_key(Config(cfg)) == key
