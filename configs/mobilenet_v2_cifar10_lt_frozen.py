# The same with a pool in which the first class has 20 times as many images as the last (subset.py --tail 20).
_base_ = './mobilenet_v2_cifar10_frozen.py'
train_dataloader = dict(dataset=dict(ann_file='pool_lt.txt'))
