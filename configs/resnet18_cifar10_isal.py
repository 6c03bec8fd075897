# ISAL on CIFAR-10 with ResNet-18 (paper, section 4.1): all parameters, s_test from 250 random labeled images and four
# repeats, 1000 images at first and 1000 a round. As in the paper, the test set is the reference set: the curve is
# optimistic; StestHook's reference='holdout' is the honest one.
_base_ = ['mmpretrain::resnet/resnet18_8xb16_cifar10.py', './_base_/isal.py']

train_cfg = dict(_delete_=True, **_base_.active_loop, initial=1000, query=1000, rounds=9, max_epochs=200,
                 val_interval=200)
custom_hooks = [dict(type='mmal.StestHook', reference='val', params=['*'],
                     solver=dict(type='mmal.LiSSA', depth=250, repeats=4))]

train_dataloader = dict(batch_size=128)
val_dataloader = dict(batch_size=128)
test_dataloader = dict(batch_size=128)
default_hooks = dict(checkpoint=dict(interval=200, max_keep_ckpts=1))
