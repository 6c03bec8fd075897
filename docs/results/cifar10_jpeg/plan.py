# Six methods on a subset of CIFAR-10 in lossy JPEG: 200 images at first, 200 a query, 5 rounds, 5 seeds:
#   python docs/results/cifar10_jpeg/subset.py data/cifar10_jpeg
#   python tools/al_compare.py docs/results/cifar10_jpeg/plan.py --jobs 2 --work-dir work_dirs/cifar10_jpeg
name = 'CIFAR-10 subset in lossy JPEG'
config = './config.py'
seeds = list(range(5))
methods = dict(
    random=dict(sampler=dict(type='mmal.RandomSampler')),
    isal=dict(sampler=dict(type='mmal.InfluenceSampler')),
    coreset=dict(sampler=dict(type='mmal.CoresetSampler')),
    entropy=dict(sampler=dict(type='mmal.EntropySampler')),
    gradient_similarity=dict(sampler=dict(type='mmal.GradientSimilaritySampler')),
    learning_loss=dict(config='./learning_loss.py', sampler=dict(type='mmal.LearningLossSampler')))
metric = 'accuracy/top1'
