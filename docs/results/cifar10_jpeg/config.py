# A narrow ResNet-18 of three stages on a subset of CIFAR-10 in lossy JPEG: 4000 images in the pool, 500 to refer to,
# 1000 to test on. The lists are made by subset.py.
_base_ = '../../../configs/resnet_digits_isal.py'

data_root = 'data/cifar10_jpeg'
mean_std = dict(mean=[125.3, 123.0, 113.9], std=[51.6, 50.8, 51.3])
classes = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck']
data_preprocessor = dict(num_classes=10, **mean_std, to_rgb=True)

images = dict(_delete_=True, type='CustomDataset', data_root=data_root, classes=classes)
train_dataloader = dict(batch_size=32, dataset=dict(**images, ann_file='pool.txt', pipeline=[
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=32, padding=2),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs')]))
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
val_dataloader = dict(dataset=dict(**images, ann_file='val.txt', pipeline=test_pipeline, test_mode=True))
test_dataloader = dict(dataset=dict(**images, ann_file='test.txt', pipeline=test_pipeline, test_mode=True))

train_cfg = dict(initial=200, query=200, rounds=5, max_iters=750, val_interval=750)
optim_wrapper = dict(optimizer=dict(lr=6e-3))
param_scheduler = [dict(type='OneCycleLR', eta_max=6e-3, total_steps=750, pct_start=0.2, by_epoch=False)]
default_hooks = dict(checkpoint=dict(interval=750), logger=dict(interval=250))
