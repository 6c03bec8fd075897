# ISAL for classification, small: a narrow ResNet-18 on scikit-learn's digits, five rounds of 50 images.
_base_ = ['mmpretrain::_base_/default_runtime.py', './_base_/isal.py', './_base_/digits.py']

model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet_CIFAR', depth=18, base_channels=16, stem_channels=16, num_stages=4, out_indices=(3, ),
                  style='pytorch'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=128, loss=dict(type='CrossEntropyLoss')))
train_cfg = dict(**_base_.active_loop, initial=50, query=50, rounds=5, max_epochs=40, val_interval=40)
custom_hooks = [_base_.stest_hook]

optim_wrapper = dict(optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05))
param_scheduler = [
    dict(type='OneCycleLR', eta_max=2e-3, total_steps=40, pct_start=0.2, by_epoch=True, convert_to_iter_based=True)
]
default_hooks = dict(checkpoint=dict(interval=40, max_keep_ckpts=1), logger=dict(interval=20))
