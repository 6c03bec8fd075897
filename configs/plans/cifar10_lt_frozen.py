# The same from a pool with a long tail: the test set has all classes alike, and so has the metric.
#   mmal features configs/mobilenet_v2_cifar10_lt_frozen.py --out work_dirs/features/cifar10_lt
#   python tools/al_compare.py configs/plans/cifar10_lt_frozen.py --features work_dirs/features/cifar10_lt
_base_ = './cifar10_frozen_herded.py'
name = 'CIFAR-10 with a long tail, frozen MobileNetV2, 50 herded images at first'
config = '../mobilenet_v2_cifar10_lt_frozen.py'
options = {'train_cfg.initial': 50, 'train_cfg.query': 50}
metric = 'balanced_accuracy'
