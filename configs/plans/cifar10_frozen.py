# A frozen MobileNetV2 and a refitted last layer on CIFAR-10: 20 images at first, ten queries of 20, 20 seeds.
#   mmal features configs/mobilenet_v2_cifar10_frozen.py --out work_dirs/features/cifar10
#   python tools/al_compare.py configs/plans/cifar10_frozen.py --features work_dirs/features/cifar10
# The analysis, fixed before the run: labels saved at random's final metric, and the area against random, with 95 %
# intervals by Student's t of differences paired by seed. "Better" is an interval clear of 0.
name = 'CIFAR-10, frozen MobileNetV2, 20 images at first'
config = '../mobilenet_v2_cifar10_frozen.py'
seeds = list(range(20))
options = {'train_cfg.initial': 20, 'train_cfg.query': 20, 'train_cfg.rounds': 11}
# The paper's own: a last layer trained on with hardly any penalty, its authors' LiSSA, the plain ranking.
paper = {'train_cfg.head': dict(weight_decay=5e-4), 'custom_hooks.0.solver': dict(type='mmal.LiSSA', preset='official')}
methods = dict(
    random=dict(sampler=dict(type='mmal.RandomSampler')),
    margin=dict(sampler=dict(type='mmal.MarginSampler')),
    entropy=dict(sampler=dict(type='mmal.EntropySampler')),
    badge=dict(sampler=dict(type='mmal.BadgeSampler')),
    coreset=dict(sampler=dict(type='mmal.CoresetSampler')),
    herding=dict(sampler=dict(type='mmal.HerdingSampler')),
    uncertainty_herding=dict(sampler=dict(type='mmal.HerdingSampler', uncertainty=True)),
    isal_paper=dict(sampler=dict(type='mmal.InfluenceSampler', max_cosine=None), options=paper),
    isal=dict(sampler=dict(type='mmal.InfluenceSampler')),
    fisher=dict(sampler=dict(type='mmal.FisherSampler')),
    # As planned at first; the check was added after FODA had shown where the filter fails.
    isal_fisher=dict(
        sampler=dict(type='mmal.InfluenceSampler', batch='fisher', target='reference', check_filter=False)),
    isal_fisher_checked=dict(sampler=dict(type='mmal.InfluenceSampler', batch='fisher')))
metric = 'accuracy/top1'
del paper
