# ISAL on your own data: a folder of images with COCO annotation files. Inherit this file and change what you like;
# the folder is given by
#   python tools/al_train.py configs/fcos_custom_isal.py --cfg-options data_root=path/to/folder/
# or, for a file that inherits and for other tools, by MMAL_DATA_ROOT in the environment.
# train.json is the pool. val.json is the reference set, so keep it apart from test.json, which the curve reports; where
# there is no test.json, val.json serves for both. file_name is relative to data_root. Classes come from train.json.
_base_ = ['mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', './_base_/isal.py']
import json
import os

data_root = os.path.join(os.environ.get('MMAL_DATA_ROOT', 'data/custom/'), '')
train_file, val_file = data_root + 'train.json', data_root + 'val.json'
test_file = data_root + 'test.json' if os.path.exists(data_root + 'test.json') else val_file
classes = tuple(c['name'] for c in json.load(open(train_file))['categories']) if os.path.exists(train_file) else ('?', )

own = dict(metainfo=dict(classes=classes), data_root=data_root, data_prefix=dict(img=''))
train_cfg = dict(**_base_.active_loop, initial=100, query=50, rounds=5)
custom_hooks = [dict(_base_.stest_hook, solver=dict(_base_.lissa, depth=100, batch_size=4))]
model = dict(bbox_head=dict(num_classes=len(classes)))
train_dataloader = dict(batch_size=8, dataset=dict(**own, ann_file='train.json', filter_cfg=dict(min_size=1)))
val_dataloader = dict(batch_size=8, dataset=dict(**own, ann_file='val.json'))
test_dataloader = dict(batch_size=8, dataset=dict(**own, ann_file=os.path.basename(test_file)))
val_evaluator = dict(ann_file=val_file)
test_evaluator = dict(ann_file=test_file)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))
