# Learning loss on CIFAR-10 (paper, appendix D.1).
_base_ = ['./resnet18_cifar10_isal.py', './_base_/learning_loss.py']
train_cfg = dict(sampler=_base_.learning_loss_sampler)
model = dict(_delete_=True, **_base_.learning_loss_resnet18, model=_base_.model)
