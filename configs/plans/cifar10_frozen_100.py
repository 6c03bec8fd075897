# The same with 100 images at first and ten queries of 100.
_base_ = './cifar10_frozen.py'
name = 'CIFAR-10, frozen MobileNetV2, 100 images at first'
options = {'train_cfg.initial': 100, 'train_cfg.query': 100}
