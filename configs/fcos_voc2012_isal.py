# ISAL on VOC2012 with FCOS-R50 (paper, section 4.2): 500 images of the train part, then 500 a round, 12 epochs each;
# mAP on the val part, which is also the reference set.
_base_ = ['mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', './_base_/isal.py']

train_cfg = dict(**_base_.active_loop, initial=500, query=500, rounds=10)
custom_hooks = [_base_.stest_hook]
model = dict(bbox_head=dict(num_classes=20))

voc = dict(_delete_=True, type='VOCDataset', data_root='data/VOCdevkit/', data_prefix=dict(sub_data_root='VOC2012/'))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(1000, 600), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(1000, 600), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))
]
train_dataloader = dict(
    batch_size=8,  # in all; divide by the number of GPUs
    dataset=dict(**voc, ann_file='VOC2012/ImageSets/Main/train.txt', pipeline=train_pipeline,
                 filter_cfg=dict(filter_empty_gt=True, min_size=32, bbox_min_size=32)))
val_dataloader = dict(
    dataset=dict(**voc, ann_file='VOC2012/ImageSets/Main/val.txt', pipeline=test_pipeline, test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='VOCMetric', metric='mAP', eval_mode='area')
test_evaluator = val_evaluator
optim_wrapper = dict(clip_grad=dict(max_norm=8, norm_type=2))
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))
