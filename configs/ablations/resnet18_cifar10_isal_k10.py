# Paper, Table 1: the expected gradient of the 10 most probable classes, which is zero: every image ranks alike.
_base_ = '../resnet18_cifar10_isal.py'
train_cfg = dict(sampler=dict(top_k=10))
