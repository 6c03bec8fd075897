# Paper, Table 3, ISAL_v2: the first labeled set is the reference set.
_base_ = '../resnet18_cifar10_isal.py'
custom_hooks = [dict(_base_.paper_stest, reference='initial')]
