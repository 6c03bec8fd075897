# ISAL on COCO with FCOS-R50 (paper, sections 4.2 and D.2): 5000 images, then 1000 a round, 12 epochs each.
_base_ = ['mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', './_base_/isal.py']

train_cfg = dict(**_base_.active_loop, initial=5000, query=1000, rounds=20)
custom_hooks = [_base_.stest_hook]

train_dataloader = dict(batch_size=8)  # in all; divide by the number of GPUs
optim_wrapper = dict(clip_grad=dict(max_norm=10, norm_type=2))
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))
