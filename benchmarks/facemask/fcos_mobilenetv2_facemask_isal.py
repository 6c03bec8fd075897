# A real, small detection set on a processor: face masks, MobileNetV2 with ImageNet weights, 288 px,
# 4 rounds.
# Made ready by split.py; see README.md here.
_base_ = '../../configs/fcos_custom_isal.py'

import os

size = (288, 288)
train_cfg = dict(
    initial=100, query=50, rounds=4, max_epochs=12, val_interval=12, cold_start='random'
)
custom_hooks = [
    dict(
        _base_.stest_hook,
        solver=dict(
            type='mmal.LiSSA', damping=0.1, scale=1000.0, depth=100, batch_size=2, repeats=2
        ),
    )
]

model = dict(
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True),
    backbone=dict(
        _delete_=True,
        type='MobileNetV2',
        out_indices=(2, 4, 6),
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained', checkpoint=os.environ.get('MMAL_MOBILENET', 'mobilenet_v2.pth')
        ),
    ),
    neck=dict(in_channels=[32, 96, 320], out_channels=64, start_level=0, num_outs=4),
    bbox_head=dict(
        in_channels=64,
        feat_channels=64,
        stacked_convs=2,
        strides=[8, 16, 32, 64],
        regress_ranges=((-1, 64), (64, 128), (128, 256), (256, 1e8)),
        norm_on_bbox=True,
        centerness_on_reg=True,
        center_sampling=True,
        conv_bias=True,
        loss_bbox=dict(type='GIoULoss', loss_weight=1.0),
    ),
)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=size, keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=size, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
train_dataloader = dict(  # without the RepeatDataset of the base: there is no warm-up
    num_workers=1,
    dataset=dict(_base_.train_dataloader.dataset.dataset, _delete_=True, pipeline=train_pipeline),
)
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))

optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=10, norm_type=2),
)
param_scheduler = [
    dict(type='OneCycleLR', eta_max=1e-3, total_steps=12, by_epoch=True, convert_to_iter_based=True)
]
default_hooks = dict(checkpoint=dict(interval=12), logger=dict(interval=10))
