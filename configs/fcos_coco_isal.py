# ISAL on COCO with FCOS-R50 (paper, sections 4.2 and D.2): 5000 images, then 1000 a round, 12 epochs each. As in the
# first authors' configs the head has no normalisation (that of the base has GN), and gradients are clipped at 10.
#
# s_test is solved for by mmal.CG, damped by 0.01 of the largest eigenvalue. The paper's own, Algorithm 3, is
# solver=dict(type='mmal.LiSSA', preset='paper', depth=5000). Either takes, of at most 5000 labeled images, as many as
# fit into memory_gb of StestHook: 4 GiB a process hold about 100.
_base_ = ['mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', './_base_/isal.py']

train_cfg = dict(**_base_.paper_loop, initial=5000, query=1000, rounds=20, val_interval=12)
custom_hooks = [dict(_base_.stest_hook, hessian_images=5000)]

model = dict(bbox_head=dict(norm_cfg=None))
train_dataloader = dict(batch_size=8)  # in all; divide by the number of GPUs
optim_wrapper = dict(clip_grad=dict(max_norm=10, norm_type=2))
