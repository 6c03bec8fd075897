# Figure 3b and Table 5: as on CIFAR-10.
#   python tools/al_compare.py configs/plans/cifar100.py
_base_ = './cifar10.py'
config = '../resnet18_cifar100_isal.py'
methods = dict(learning_loss=dict(config='../resnet18_cifar100_learning_loss.py'))
published = 5
