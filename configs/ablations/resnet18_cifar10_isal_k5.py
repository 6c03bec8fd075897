# Paper, Table 1: the expected gradient of the 5 most probable classes.
_base_ = '../resnet18_cifar10_isal.py'
train_cfg = dict(sampler=dict(top_k=5))
