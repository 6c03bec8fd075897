# The classifier after one query of given images, from a first model of the plan (see ../README.md).
_base_ = './config.py'
custom_imports = dict(imports=['mmal', 'given'])
train_cfg = dict(rounds=2, sampler=dict(_delete_=True, type='GivenSampler'))
