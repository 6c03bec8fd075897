# Figure 4a and Table 8: three seeds of five methods on VOC2012 with FCOS, drawn over the paper's curves.
config = '../fcos_voc2012_isal.py'
seeds = list(range(3))
methods = dict(
    random=dict(sampler=dict(type='mmal.RandomSampler')),
    isal=dict(),
    coreset=dict(sampler=dict(type='mmal.CoresetSampler')),
    learning_loss=dict(config='../fcos_voc2012_learning_loss.py'),
    localization_stability=dict(sampler=dict(type='mmal.LocalizationStabilitySampler', max_cosine=None)))
metric = 'pascal_voc/mAP'
target = 0.42
published = 8
