# Tables 1 to 3: K, the inverse Hessian, and the reference set, five seeds each on CIFAR-10.
config = '../resnet18_cifar10_isal.py'
seeds = list(range(5))
methods = dict(
    random=dict(sampler=dict(type='mmal.RandomSampler')),
    isal_k1=dict(config='../resnet18_cifar10_isal.py'),
    isal_k2=dict(config='../ablations/resnet18_cifar10_isal_k2.py'),
    isal_k5=dict(config='../ablations/resnet18_cifar10_isal_k5.py'),
    isal_k10=dict(config='../ablations/resnet18_cifar10_isal_k10.py'),
    gradient_similarity=dict(config='../ablations/resnet18_cifar10_gradient_similarity.py'),
    isal_v2=dict(config='../ablations/resnet18_cifar10_isal_v2.py'),
    isal_v3=dict(config='../ablations/resnet18_cifar10_isal_v3.py'),
    coreset=dict(sampler=dict(type='mmal.CoresetSampler')))
metric = 'accuracy/top1'
