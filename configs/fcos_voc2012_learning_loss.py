# Learning loss on VOC2012 with FCOS (paper, appendix D.2): the module on the five maps of the FPN, gradient stopped.
_base_ = './fcos_voc2012_isal.py'
train_cfg = dict(sampler=dict(_delete_=True, type='mmal.LearningLossSampler'))
model = dict(_delete_=True, type='mmal.LearningLoss', model=_base_.model, detach_at=0, feature_maps=['neck'])
