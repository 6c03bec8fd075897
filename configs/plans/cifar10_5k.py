# Figure 7 and Table 7: CIFAR-10 in steps of 5000 images.
#   python tools/al_compare.py configs/plans/cifar10_5k.py
_base_ = './cifar10.py'
config = '../resnet18_cifar10_isal_5k.py'
methods = dict(learning_loss=dict(config='../resnet18_cifar10_learning_loss_5k.py'))
published = 7
