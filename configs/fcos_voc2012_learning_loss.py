# Learning loss on VOC2012 with FCOS (paper, appendix D.2).
_base_ = ['./fcos_voc2012_isal.py', './_base_/learning_loss.py']
train_cfg = dict(sampler=_base_.learning_loss_sampler)
model = dict(_delete_=True, **_base_.learning_loss_fcos, model=_base_.model)
