# ISAL on CIFAR-10 in large steps (paper, appendix E.1): 5000 images at first, 5000 a round, 10 rounds.
_base_ = './resnet18_cifar10_isal.py'
train_cfg = dict(initial=5000, query=5000)
