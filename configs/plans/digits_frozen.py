# `make demo-compare`: five methods on scikit-learn's digits, 20 images at first, ten queries of 10, five seeds. The 64
# pixels are the features, and only a last layer is fitted. The baseline begins at random, the others herd first.
#   mmal features configs/pixels_digits_isal.py --out work_dirs/features/digits
#   python tools/al_compare.py configs/plans/digits_frozen.py --features work_dirs/features/digits
name = 'Digits, pixels as features'
config = '../pixels_digits_isal.py'
seeds = list(range(5))
herding = dict(type='mmal.HerdingSampler', layers=['backbone'], target_share=0.5)
options = {'train_cfg.initial': 20, 'train_cfg.query': 10, 'train_cfg.rounds': 11, 'train_cfg.cold_start': herding}
methods = dict(
    random=dict(sampler=dict(type='mmal.RandomSampler'), options={'train_cfg.cold_start': 'random'}),
    margin=dict(sampler=dict(type='mmal.MarginSampler')),
    badge=dict(sampler=dict(type='mmal.BadgeSampler')),
    isal=dict(sampler=dict(type='mmal.InfluenceSampler')),
    isal_fisher=dict(sampler=dict(type='mmal.InfluenceSampler', batch='fisher')))
metric = 'accuracy/top1'
del herding
