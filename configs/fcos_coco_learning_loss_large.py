# Learning loss on COCO in large steps (paper, appendix D.3).
_base_ = ['./fcos_coco_isal_large.py', './_base_/learning_loss.py']
train_cfg = dict(sampler=_base_.learning_loss_sampler)
model = dict(_delete_=True, **_base_.learning_loss_fcos, model=_base_.model)
