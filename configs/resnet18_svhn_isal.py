# ISAL on SVHN with ResNet-18 (paper, section 4.1): 2 % of the images (1465) at first, as many a round, 10 rounds.
_base_ = './resnet18_cifar10_isal.py'

train_cfg = dict(initial=1465, query=1465)
data_preprocessor = dict(mean=[111.609, 113.161, 120.565], std=[50.498, 51.259, 50.244])
svhn = dict(_delete_=True, type='mmal.SVHN', data_root='data/svhn/')
train_dataloader = dict(dataset=dict(
    **svhn, split='train', pipeline=[
        dict(type='RandomCrop', crop_size=32, padding=4),
        dict(type='RandomFlip', prob=0.5, direction='horizontal'),
        dict(type='PackInputs')
    ]))
val_dataloader = dict(dataset=dict(**svhn, split='test', test_mode=True, pipeline=[dict(type='PackInputs')]))
test_dataloader = val_dataloader
