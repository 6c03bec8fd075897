# Face masks: 3 very unequal classes, most faces below a tenth of the image's side, so 416 px.
_base_ = './fcos_nanodet_custom.py'

from benchmarks.nanodet.pipelines import test_pipeline, train_pipeline

size = (416, 416)
train_cfg = dict(initial=200, query=50, rounds=5)
model = dict(bbox_head=dict(regress_ranges=((-1, 32), (32, 96), (96, 1e8))))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline(size)))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline(size)))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline(size)))
test_evaluator = dict(n_rare=1)
