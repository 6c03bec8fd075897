"""Detectors and classifiers from the hosts' own installed configs, shrunk until a test takes moments."""

import mmdet
import pytest
import torch
from mmengine.hub import get_config
from mmengine.utils import digit_version

DETECTORS = dict(
    fcos='fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
    retinanet='retinanet/retinanet_r50_fpn_1x_coco.py',
    atss='atss/atss_r50_fpn_1x_coco.py',
    faster_rcnn='faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    cascade_rcnn='cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py',
    mask_rcnn='mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    yolox='yolox/yolox_tiny_8xb8-300e_coco.py',
    detr='detr/detr_r50_8xb2-150e_coco.py',
    dino='dino/dino-4scale_r50_8xb2-12e_coco.py')

LAST = dict(
    fcos={'bbox_head.conv_cls', 'bbox_head.conv_reg', 'bbox_head.conv_centerness'},
    retinanet={'bbox_head.retina_cls', 'bbox_head.retina_reg'},
    atss={'bbox_head.atss_cls', 'bbox_head.atss_reg', 'bbox_head.atss_centerness'},
    faster_rcnn={'rpn_head.rpn_cls', 'rpn_head.rpn_reg', 'roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_reg'},
    cascade_rcnn={'rpn_head.rpn_cls', 'rpn_head.rpn_reg',
                  *(f'roi_head.bbox_head.{i}.fc_{k}' for i in range(3) for k in ('cls', 'reg'))},
    mask_rcnn={'rpn_head.rpn_cls', 'rpn_head.rpn_reg', 'roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_reg'},
    yolox={f'bbox_head.multi_level_conv_{k}.{i}' for i in range(3) for k in ('cls', 'reg', 'obj')},
    detr={'bbox_head.fc_cls', 'bbox_head.fc_reg'},
    dino={f'bbox_head.{k}' for i in range(3) for k in (f'cls_branches.{i}', f'reg_branches.{i}.4')})
"""Modules whose parameters are the last layers."""


def _roi_head(roi_head, boxes):
    heads = roi_head.bbox_head if isinstance(roi_head.bbox_head, list) else [roi_head.bbox_head]
    for head in heads:
        head.update(in_channels=16, fc_out_channels=32, num_classes=3)
    roi_head.bbox_roi_extractor.out_channels = 16
    if boxes and roi_head.get('mask_head'):
        roi_head.mask_roi_extractor.out_channels = 16
        roi_head.mask_head.update(in_channels=16, conv_out_channels=16, num_classes=3, num_convs=1)


def _transformer(cfg, width=32):
    for part in ('encoder', 'decoder'):
        cfg[part].num_layers = 2
        for key, attention in cfg[part].layer_cfg.items():
            if 'attn' in key:
                attention.update(embed_dims=width, num_heads=4)
            elif key == 'ffn_cfg':
                attention.update(embed_dims=width, feedforward_channels=32)


def detector_cfg(name):
    """A small version of an mmdet config, with 3 classes."""
    cfg = get_config(f'mmdet::{DETECTORS[name]}').model
    if name == 'yolox':
        cfg.backbone.update(widen_factor=0.125, deepen_factor=0.1)
        cfg.neck.update(in_channels=[32, 64, 128], out_channels=16, num_csp_blocks=1)
        cfg.bbox_head.update(num_classes=3, in_channels=16, feat_channels=16)
        cfg.data_preprocessor.update(mean=[127.0] * 3, std=[6000.0] * 3)  # untrained, it blows 0 to 255 up to 1e5
        return cfg
    cfg.backbone.update(depth=18, init_cfg=None, base_channels=8, stem_channels=8)
    channels = [8, 16, 32, 64]
    if name in ('detr', 'dino'):
        cfg.neck.update(in_channels=channels[1:] if name == 'dino' else [64], out_channels=32)
        cfg.num_queries = 12
        _transformer(cfg)
        cfg.positional_encoding.num_feats = 16
        cfg.bbox_head.update(num_classes=3, embed_dims=32)
        cfg.test_cfg.max_per_img = 12
        if name == 'dino':
            if digit_version(mmdet.__version__) < digit_version('3.4'):
                pytest.skip('mmdet 3.3 has DINO with 256 channels alone: too many for this test')
            cfg.neck.norm_cfg.num_groups = 8
        return cfg
    cfg.neck.update(in_channels=channels, out_channels=16)
    if 'roi_head' in cfg:
        cfg.rpn_head.update(in_channels=16, feat_channels=16)
        _roi_head(cfg.roi_head, True)
        cfg.test_cfg.rpn.update(nms_pre=50, max_per_img=20)
        cfg.train_cfg.rpn_proposal.update(nms_pre=50, max_per_img=20)
    else:
        cfg.bbox_head.update(num_classes=3, in_channels=16, feat_channels=16, stacked_convs=1)
        if cfg.bbox_head.type in ('FCOSHead', 'ATSSHead'):
            cfg.bbox_head.norm_cfg = dict(type='GN', num_groups=4, requires_grad=True)
    return cfg


def build_detector(name_or_cfg, noise=0.03):
    """A detector in train mode with random weights, away from zero biases and tiny initial weights."""
    from mmdet.registry import MODELS
    from mmdet.utils import register_all_modules
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    cfg = detector_cfg(name_or_cfg) if isinstance(name_or_cfg, str) else name_or_cfg
    test_cfg = cfg.test_cfg.get('rcnn', cfg.test_cfg)
    if 'score_thr' in test_cfg:
        test_cfg.update(score_thr=0.0, max_per_img=4)
    model = MODELS.build(cfg)
    if hasattr(model, 'level_embed'):  # Deformable DETR and DINO leave it uninitialised, whatever lies in memory
        model.level_embed.data.zero_()
    for p in model.parameters():
        p.data += noise * torch.randn_like(p)
    return model.train()


CLASSIFIERS = dict(
    resnet_cifar='resnet/resnet18_8xb16_cifar10.py',
    resnet='resnet/resnet18_8xb32_in1k.py',
    mobilenet_v2='mobilenet_v2/mobilenet-v2_8xb32_in1k.py',
    mobilenet_v3='mobilenet_v3/mobilenet-v3-small_8xb128_in1k.py',
    vit='vision_transformer/vit-base-p16_64xb64_in1k-384px.py',
    swin='swin_transformer/swin-tiny_16xb64_in1k.py',
    convnext='convnext/convnext-tiny_32xb128_in1k.py')


def classifier_cfg(name):
    """A small version of an mmpretrain config, with 5 classes and images of 32 x 32."""
    cfg = get_config(f'mmpretrain::{CLASSIFIERS[name]}').model
    if name.startswith('resnet'):
        cfg.backbone.update(base_channels=8, stem_channels=8)
        cfg.head.in_channels = 64
    elif name == 'vit':
        cfg.backbone.update(arch=dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32), img_size=32,
                            patch_size=8)
        cfg.head.in_channels = 16
    elif name == 'swin':
        cfg.backbone.update(arch=dict(embed_dims=8, depths=[2, 2], num_heads=[1, 2]), img_size=32, window_size=4,
                            out_indices=(1, ))
        cfg.head.in_channels = 16
    elif name == 'convnext':
        cfg.backbone.update(arch=dict(depths=[1, 1, 1, 1], channels=[8, 16, 24, 32]))
        cfg.head.in_channels = 32
    cfg.head.num_classes = 5
    cfg.head.pop('topk', None)
    cfg.data_preprocessor = dict(type='ClsDataPreprocessor', num_classes=5, mean=[127.5] * 3, std=[127.5] * 3)
    cfg.train_cfg = None
    return cfg


def build_classifier(name_or_cfg, noise=0.03):
    """A classifier in train mode with random weights."""
    from mmpretrain.registry import MODELS
    from mmpretrain.utils import register_all_modules
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    cfg = classifier_cfg(name_or_cfg) if isinstance(name_or_cfg, str) else name_or_cfg
    model = MODELS.build(cfg)
    for p in model.parameters():
        p.data += noise * torch.randn_like(p)
    return model.train()
