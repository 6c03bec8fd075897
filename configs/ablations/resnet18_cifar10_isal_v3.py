# Paper, Table 3, ISAL_v3: all that is labeled is the reference set.
_base_ = '../resnet18_cifar10_isal.py'
custom_hooks = [dict(_base_.paper_stest, reference='labeled')]
