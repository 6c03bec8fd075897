# ISAL on your own data: a folder of images with COCO annotation files. Inherit this file and change what you like;
# the folder is given by
#   python tools/al_train.py configs/fcos_custom_isal.py --cfg-options data_root=path/to/folder/
# or, for a file that inherits and for other tools, by MMAL_DATA_ROOT in the environment.
# train.json is the pool; test.json (or val.json) is what the curve reports. The reference set is a fifth of the first
# labeled images, which is never trained on, so that the reported metric stays honest. file_name is relative to
# data_root. Classes come from train.json.
_base_ = ['mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', './_base_/isal.py']
import os

from mmal.annotation.coco_file import class_names

data_root = os.path.join(os.environ.get('MMAL_DATA_ROOT', 'data/custom/'), '')
train_file = data_root + 'train.json'
test_file = data_root + ('test.json' if os.path.exists(data_root + 'test.json') else 'val.json')
classes = tuple(class_names(train_file)) if os.path.exists(train_file) else ('?', )

own = dict(metainfo=dict(classes=classes), data_root=data_root, data_prefix=dict(img=''))
train_cfg = dict(**_base_.active_loop, initial=100, query=50, rounds=5, val_interval=12)
custom_hooks = [dict(_base_.stest_hook, reference='holdout')]
model = dict(bbox_head=dict(num_classes=len(classes)))
# An epoch goes 10 times through the labeled images: the first 80 are 10 batches, and the warm-up takes 500. Change
# `times`, not max_epochs, for longer or shorter trainings: the learning rate falls at epochs 8 and 11.
train_dataloader = dict(batch_size=8, dataset=dict(
    _delete_=True, type='RepeatDataset', times=10, dataset=dict(
        _base_.train_dataloader.dataset, **own, ann_file='train.json',
        filter_cfg=dict(filter_empty_gt=True, min_size=1))))
val_dataloader = dict(batch_size=8, dataset=dict(**own, ann_file=os.path.basename(test_file)))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=test_file)
test_evaluator = val_evaluator
