# Figure 4b and Table 9: three seeds of five methods on COCO with FCOS, drawn over the paper's curves. A run ends where
# the paper's do: at an AP of 22 +- 0.3 % (section 4.2), or after the 20 rounds of the config.
config = '../fcos_coco_isal.py'
seeds = list(range(3))
methods = dict(
    random=dict(sampler=dict(type='mmal.RandomSampler')),
    isal=dict(),
    coreset=dict(sampler=dict(type='mmal.CoresetSampler')),
    learning_loss=dict(config='../fcos_coco_learning_loss.py'),
    localization_stability=dict(sampler=dict(type='mmal.LocalizationStabilitySampler', max_cosine=None)))
metric = 'coco/bbox_mAP'
target = 0.217
options = {'train_cfg.stop': dict(metric=metric, target=target)}
published = 9
