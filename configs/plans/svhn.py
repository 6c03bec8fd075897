# Figure 3c and Table 6: as on CIFAR-10.
#   python tools/al_compare.py configs/plans/svhn.py
_base_ = './cifar10.py'
config = '../resnet18_svhn_isal.py'
methods = dict(learning_loss=dict(config='../resnet18_svhn_learning_loss.py'))
published = 6
