# Every classification method on scikit-learn's digits: 30 images at first, 20 a round, 10 rounds, 10 seeds. The
# reference set is the digits' val part, the curve is accuracy on their test part. 70 minutes on two processor cores:
#   python tools/al_compare.py docs/results/digits/plan.py --jobs 2
name = 'Digits'
config = '../../../configs/resnet_digits_isal.py'
seeds = list(range(10))
options = {
    'train_cfg.initial': 30,
    'train_cfg.query': 20,
    'train_cfg.rounds': 10,
    'default_hooks.logger.interval': 1000,
}
methods = dict(
    random=dict(sampler=dict(type='mmal.RandomSampler')),
    isal=dict(sampler=dict(type='mmal.InfluenceSampler')),
    isal_all_parameters=dict(sampler=dict(type='mmal.InfluenceSampler'), options=dict(custom_hooks=[dict(
        type='mmal.StestHook', params=['*'], solver=dict(type='mmal.LiSSA', depth=100, batch_size=8, repeats=2))])),
    isal_diverse=dict(sampler=dict(type='mmal.InfluenceSampler', max_cosine=0.9)),
    gradient_similarity=dict(sampler=dict(type='mmal.GradientSimilaritySampler')),
    coreset=dict(sampler=dict(type='mmal.CoresetSampler')),
    entropy=dict(sampler=dict(type='mmal.EntropySampler')),
    margin=dict(sampler=dict(type='mmal.MarginSampler')),
    least_confidence=dict(sampler=dict(type='mmal.LeastConfidenceSampler')),
    badge=dict(sampler=dict(type='mmal.BadgeSampler')),
    learning_loss=dict(
        config='learning_loss.py', sampler=dict(type='mmal.LearningLossSampler')))
metric = 'accuracy/top1'
