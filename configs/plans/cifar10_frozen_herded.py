# The same from a herded start. The baseline begins and goes on at random.
_base_ = './cifar10_frozen.py'
name = 'CIFAR-10, frozen MobileNetV2, 20 herded images at first'
# What is the default where a backbone is pretrained.
herding = dict(_delete_=True, type='mmal.HerdingSampler', layers=['backbone'], target_share=0.5)
options = {'train_cfg.cold_start': herding}
del herding
methods = dict(
    random=dict(options={'train_cfg.cold_start': 'random'}),
    herded_random=dict(sampler=dict(type='mmal.RandomSampler')))
