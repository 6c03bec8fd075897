# Detection on scenes of scikit-learn's handwritten digits: 80 images at first, 40 a query, 4 rounds, 5 seeds. The
# reference set is the scenes' val part, the curve is mAP on their test part. About an hour on two processor cores:
#   python tools/al_compare.py docs/results/digit_scenes/plan.py --jobs 2
name = 'Digit scenes'
config = '../../../configs/fcos_digits_isal.py'
seeds = list(range(5))
options = {'train_cfg.rounds': 4}
methods = dict(
    random=dict(sampler=dict(type='mmal.RandomSampler')),
    isal=dict(),
    coreset=dict(sampler=dict(type='mmal.CoresetSampler')),
    localization_stability=dict(sampler=dict(type='mmal.LocalizationStabilitySampler')),
    entropy=dict(sampler=dict(type='mmal.EntropySampler')))
metric = 'coco/bbox_mAP'
