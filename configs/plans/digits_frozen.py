# `make demo-compare`: five methods on scikit-learn's digits, 20 images at first, ten queries of 20, five seeds. The
# features are those of a network as it is initialised: nothing that is pretrained is in the wheels. Only the last
# layer is fitted.
#   mmal features configs/resnet_digits_isal.py --out work_dirs/features/digits
#   python tools/al_compare.py configs/plans/digits_frozen.py --features work_dirs/features/digits
name = 'Digits, cached features of an untrained network'
config = '../resnet_digits_isal.py'
seeds = list(range(5))
options = {'train_cfg.initial': 20, 'train_cfg.query': 20, 'train_cfg.rounds': 11}
methods = dict(
    random=dict(sampler=dict(type='mmal.RandomSampler')),
    margin=dict(sampler=dict(type='mmal.MarginSampler')),
    badge=dict(sampler=dict(type='mmal.BadgeSampler')),
    isal=dict(sampler=dict(type='mmal.InfluenceSampler')),
    isal_fisher=dict(sampler=dict(type='mmal.InfluenceSampler', batch='fisher')))
metric = 'accuracy/top1'
