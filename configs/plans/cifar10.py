# Figure 3a and Table 4: five seeds of four methods on CIFAR-10, drawn over the paper's curves.
#   python tools/al_compare.py configs/plans/cifar10.py
config = '../resnet18_cifar10_isal.py'
seeds = list(range(5))
methods = dict(
    random=dict(sampler=dict(type='mmal.RandomSampler')),
    isal=dict(),
    coreset=dict(sampler=dict(type='mmal.CoresetSampler')),
    learning_loss=dict(config='../resnet18_cifar10_learning_loss.py'))
metric = 'accuracy/top1'
published = 4
