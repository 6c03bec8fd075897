# ISAL on CIFAR-10 with ResNet-18 (paper, section 4.1): 1000 images at first, 1000 a round, 10 rounds; 200 epochs at
# batch 128, learning rate 0.1 and 0.01 from epoch 160 on; influence by all parameters, s_test from 250 random labeled
# images, averaged over four repeats. As in the paper the test set is the reference set, so the curve is optimistic;
# reference='holdout' of StestHook is the honest one.
_base_ = ['mmpretrain::resnet/resnet18_8xb16_cifar10.py', './_base_/isal.py']

train_cfg = dict(_delete_=True, **_base_.paper_loop, initial=1000, query=1000, rounds=10, max_epochs=200,
                 val_interval=200)
paper_stest = dict(type='mmal.StestHook', reference='val', params=['*'],
                   solver=dict(type='mmal.LiSSA', depth=250, repeats=4))
custom_hooks = [paper_stest]

train_dataloader = dict(batch_size=128)
val_dataloader = dict(batch_size=128)
test_dataloader = dict(batch_size=128)
optim_wrapper = dict(optimizer=dict(weight_decay=0.0005))
param_scheduler = dict(milestones=[160])
default_hooks = dict(checkpoint=dict(interval=200))
