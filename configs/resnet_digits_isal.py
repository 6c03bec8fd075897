# ISAL for classification, small: three stages of a narrow ResNet-18 on scikit-learn's digits, five rounds of 50 images.
_base_ = ['mmpretrain::_base_/default_runtime.py', './_base_/isal.py', './_base_/digits.py']

model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet_CIFAR', depth=18, base_channels=16, stem_channels=16, num_stages=3, strides=(2, 2, 2),
                  dilations=(1, 1, 1), out_indices=(2, ), style='pytorch'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=64, loss=dict(type='CrossEntropyLoss')))
train_cfg = dict(**_base_.active_loop, initial=50, query=50, rounds=5, max_iters=150, val_interval=150)
custom_hooks = [_base_.stest_hook]

optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-2, weight_decay=0.05))
param_scheduler = [dict(type='OneCycleLR', eta_max=1e-2, total_steps=150, pct_start=0.2, by_epoch=False)]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=150), logger=dict(interval=50))
log_processor = dict(by_epoch=False)
