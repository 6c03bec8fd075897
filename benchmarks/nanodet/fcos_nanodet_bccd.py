# BCCD: 3 unequal classes of blood cells, about 13 boxes an image, so that images and boxes differ.
_base_ = './fcos_nanodet_custom.py'

from benchmarks.nanodet.pipelines import test_pipeline, train_pipeline

size = (256, 192)
train_cfg = dict(initial=20, query=20, rounds=5)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline(size)))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline(size)))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline(size)))
test_evaluator = dict(n_rare=1)
