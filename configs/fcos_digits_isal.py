# The demo: ISAL with a tiny FCOS on scenes of real handwritten digits. Three rounds on two processor cores.
_base_ = [
    'mmdet::_base_/default_runtime.py', './_base_/isal.py', './_base_/fcos_tiny.py', './_base_/digit_scenes.py'
]

train_cfg = dict(**_base_.active_loop, initial=80, query=40, rounds=3, max_epochs=30, val_interval=30)
custom_hooks = [_base_.stest_hook]

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=10, norm_type=2))
param_scheduler = [
    dict(type='OneCycleLR', eta_max=2e-3, total_steps=30, pct_start=0.2, by_epoch=True, convert_to_iter_based=True)
]
default_hooks = dict(checkpoint=dict(interval=30), logger=dict(interval=20))
