# ISAL on COCO with Faster R-CNN-R50 (paper, appendix E.2): 5000 images, then 1000 a round; influence by the last layers
# of both stages, s_test from at most 500 labeled images.
#
# s_test is solved for by mmal.CG, damped by 0.01 of the largest eigenvalue. The paper's own, Algorithm 3, is
# solver=dict(type='mmal.LiSSA', preset='paper', depth=500). Either takes as many of the images as fit into memory_gb of
# StestHook: 4 GiB a process hold about 50.
_base_ = ['mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', './_base_/isal.py']

train_cfg = dict(**_base_.paper_loop, initial=5000, query=1000, rounds=10, val_interval=12)
custom_hooks = [dict(_base_.stest_hook, hessian_images=500, params=[
    'rpn_head.rpn_cls', 'rpn_head.rpn_reg', 'roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_reg'])]

train_dataloader = dict(batch_size=8)  # in all; divide by the number of GPUs
optim_wrapper = dict(optimizer=dict(lr=0.01))
