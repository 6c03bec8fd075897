# Learning loss on CIFAR-10 in large steps (paper, appendices D.1 and E.1).
_base_ = ['./resnet18_cifar10_isal_5k.py', './_base_/learning_loss.py']
train_cfg = dict(sampler=_base_.learning_loss_sampler)
model = dict(_delete_=True, **_base_.learning_loss_resnet18, model=_base_.model)
