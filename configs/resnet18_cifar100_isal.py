# ISAL on CIFAR-100 with ResNet-18 (paper, section 4.1): 5000 images at first, 1000 a round, 10 rounds.
_base_ = './resnet18_cifar10_isal.py'

train_cfg = dict(initial=5000)
model = dict(head=dict(num_classes=100))
data_preprocessor = dict(num_classes=100, mean=[129.304, 124.070, 112.434], std=[68.170, 65.392, 70.418])
cifar100 = dict(type='CIFAR100', data_root='data/cifar100')
train_dataloader = dict(dataset=cifar100)
val_dataloader = dict(dataset=cifar100)
test_dataloader = dict(dataset=cifar100)
