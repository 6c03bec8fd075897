# A COCO set on a processor: an FCOS head on the frozen trunk of NanoDet-g, trained on COCO.
# train.json is the pool, val.json the reference set, test.json what the curve reports (split.py).
# MMAL_DATA_ROOT, MMAL_NANODET (weights) and MMAL_NANODET_CACHE (the trunk's outputs): README.md.
_base_ = '../../configs/fcos_custom_isal.py'

import os

from benchmarks.nanodet.pipelines import test_pipeline, train_pipeline

custom_imports = dict(imports=['benchmarks.nanodet.trunk', 'benchmarks.nanodet.metric'])
size = (256, 256)
epochs = 20
# Drawn first images, as in the papers; with a pretrained trunk herded ones are the default.
train_cfg = dict(
    initial=100, query=50, rounds=5, cold_start='random', max_epochs=epochs, val_interval=epochs
)
custom_hooks = [dict(type='mmal.StestHook', reference='val')]

model = dict(
    data_preprocessor=dict(
        mean=[103.53, 116.28, 123.675], std=[57.375, 57.12, 58.395], bgr_to_rgb=False
    ),
    backbone=dict(
        _delete_=True,
        type='NanoDetTrunk',
        cache=os.environ.get('MMAL_NANODET_CACHE'),
        init_cfg=dict(
            type='Pretrained', checkpoint=os.environ.get('MMAL_NANODET', 'nanodet_g_coco.pth')
        ),
    ),
    neck=None,
    bbox_head=dict(
        in_channels=128,
        feat_channels=64,
        stacked_convs=1,
        strides=[8, 16, 32],
        regress_ranges=((-1, 64), (64, 128), (128, 1e8)),
        norm_on_bbox=True,
        centerness_on_reg=True,
        center_sampling=True,
        conv_bias=True,
        loss_bbox=dict(type='GIoULoss', loss_weight=1.0),
    ),
)

train_dataloader = dict(  # without the RepeatDataset of the base: there is no warm-up
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        _base_.train_dataloader.dataset.dataset, _delete_=True, pipeline=train_pipeline(size)
    ),
)
loader = dict(num_workers=0, persistent_workers=False)
val_dataloader = dict(loader, dataset=dict(ann_file='val.json', pipeline=test_pipeline(size)))
val_evaluator = dict(ann_file=_base_.data_root + 'val.json')
test_dataloader = dict(loader, dataset=dict(pipeline=test_pipeline(size)))
test_evaluator = dict(type='RareClassCocoMetric', rare_in=_base_.train_file, n_rare=10)

optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=10, norm_type=2),
)
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=3e-3,
        total_steps=epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
default_hooks = dict(checkpoint=dict(interval=epochs), logger=dict(interval=20))
