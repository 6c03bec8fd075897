# Paper, Table 2: without the inverse Hessian.
_base_ = '../resnet18_cifar10_isal.py'
train_cfg = dict(sampler=dict(_delete_=True, type='mmal.GradientSimilaritySampler', max_cosine=None))
