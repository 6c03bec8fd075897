# What the three plans share. Fixed before a run:
#   primary metric: mAP (COCO's, IoU 0.50 to 0.95) of the test set, over labeled images
#   baseline: random, with the same first images and the same first model, seed by seed
#   intervals: 95 %, Student's t of the differences from random of the same seed
#   clear: p of the area under the curve, relative to random, is below 0.05 after Holm's correction
#   beside it: what is saved at random's last mAP; the same over boxes; and coco/bbox_mAP_rare
#   a set whose mean mAP at the start is below 0.2 says nothing of the methods, and its page says so
# random is the first, so that it draws the start and trains the first model for all.
seeds = list(range(5))
methods = dict(
    random=dict(sampler=dict(type='mmal.RandomSampler')),
    isal=dict(),
    entropy=dict(sampler=dict(type='mmal.EntropySampler')),
    coreset=dict(sampler=dict(type='mmal.CoresetSampler')),
    ppal=dict(sampler=dict(type='mmal.PPALSampler')),
)
baseline = 'random'
metric = 'coco/bbox_mAP'
