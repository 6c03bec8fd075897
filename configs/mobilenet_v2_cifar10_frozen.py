# A frozen MobileNetV2 (ImageNet) on images of CIFAR-10 at 112 x 112. data_root holds train/CLASS/ and test/CLASS/;
#   python docs/results/cifar10_jpeg/subset.py data/cifar10_jpeg --pool 10000 --val 500 --test 5000
# writes the lists of the pool, the reference set and the test set. For comparisons on cached features:
#   mmal features configs/mobilenet_v2_cifar10_frozen.py --out work_dirs/features/cifar10
_base_ = ['mmpretrain::_base_/models/mobilenet_v2_1x.py', 'mmpretrain::_base_/default_runtime.py']

data_root = 'data/cifar10_jpeg'
classes = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck']
weights = 'data/weights/mobilenet_v2_mmpretrain_backbone.pth'
model = dict(
    backbone=dict(
        frozen_stages=7, norm_eval=True, init_cfg=dict(type='Pretrained', checkpoint=weights, prefix='backbone')),
    head=dict(num_classes=10, topk=(1, )))
data_preprocessor = dict(num_classes=10, mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], to_rgb=True)

pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=112, interpolation='bicubic'),
    dict(type='PackInputs')]
images = dict(type='CustomDataset', data_root=data_root, classes=classes, pipeline=pipeline)
loader = dict(batch_size=32, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False))
train_dataloader = dict(loader, sampler=dict(type='DefaultSampler', shuffle=True),
                        dataset=dict(**images, ann_file='pool.txt'))
val_dataloader = dict(**loader, dataset=dict(**images, ann_file='val.txt', test_mode=True))
test_dataloader = dict(**loader, dataset=dict(**images, ann_file='test.txt', test_mode=True))
val_evaluator = dict(type='Accuracy', topk=(1, ))
test_evaluator = val_evaluator

train_cfg = dict(
    type='mmal.ActiveLoop', initial=20, query=20, rounds=11, max_epochs=50, cold_start='random',
    sampler=dict(type='mmal.InfluenceSampler'), oracle=dict(type='mmal.SimulatedOracle'))
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4))
param_scheduler = []
custom_hooks = [dict(type='mmal.StestHook', reference='val')]
