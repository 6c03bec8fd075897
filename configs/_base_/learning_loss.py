# Learning loss as in the paper's appendix D. A config inherits this beside the ISAL config of its protocol, and takes
#   train_cfg = dict(sampler=_base_.learning_loss_sampler)
#   model = dict(_delete_=True, **_base_.learning_loss_fcos, model=_base_.model)
learning_loss_sampler = dict(type='mmal.LearningLossSampler', max_cosine=None)

# D.2: the module on the five maps of the FPN, its gradient stopped.
learning_loss_fcos = dict(type='mmal.LearningLoss', detach_at=0, feature_maps=['neck'])

# D.1: the module on each block of ResNet-18, its gradient stopped after 120 of 200 epochs.
learning_loss_resnet18 = dict(type='mmal.LearningLoss', detach_at=0.6,
                              feature_maps=[f'backbone.layer{i}' for i in range(1, 5)])
