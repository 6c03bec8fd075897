# The face masks of benchmarks/facemask at 192 px and in three rounds; s_test by mmal.CG.
_base_ = '../../../benchmarks/facemask/fcos_mobilenetv2_facemask_isal.py'

size = (192, 192)
train_cfg = dict(rounds=3)
custom_hooks = [dict(type='mmal.StestHook', reference='val')]
load, boxes, resize = dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True), dict(
    type='Resize', scale=size, keep_ratio=True)
train_dataloader = dict(dataset=dict(pipeline=[
    load, boxes, resize, dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs')]))
test_pipeline = [load, resize, boxes, dict(
    type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))]
# 100 images of the training part, outside of the pool, are what influence refers to; the curve is of the test part.
val_dataloader = dict(dataset=dict(ann_file='val.json', pipeline=test_pipeline))
val_evaluator = dict(ann_file=_base_.data_root + 'val.json')
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
