# Learning loss on CIFAR-10 (paper, appendix D.1): the module on each block, its gradient stopped after 120 epochs.
_base_ = './resnet18_cifar10_isal.py'
train_cfg = dict(sampler=dict(_delete_=True, type='mmal.LearningLossSampler'))
model = dict(_delete_=True, type='mmal.LearningLoss', model=_base_.model, detach_at=0.6,
             feature_maps=[f'backbone.layer{i}' for i in range(1, 5)])
