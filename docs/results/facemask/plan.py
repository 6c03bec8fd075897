# Face masks: 100 images at first, 50 a query, 3 rounds, 3 seeds. Data and weights: benchmarks/facemask/README.md.
#   MMAL_DATA_ROOT=data/facemask MMAL_MOBILENET=mobilenet_v2.pth \
#       python tools/al_compare.py docs/results/facemask/plan.py --jobs 2 --work-dir work_dirs/facemask
name = 'Face masks'
config = './config.py'
seeds = list(range(3))
methods = dict(
    random=dict(sampler=dict(type='mmal.RandomSampler')),
    isal=dict(),
    coreset=dict(sampler=dict(type='mmal.CoresetSampler')),
    entropy=dict(sampler=dict(type='mmal.EntropySampler')))
metric = 'coco/bbox_mAP'
