# Figure 8 and Table 11: COCO with Faster R-CNN and the three methods that the paper has there; runs end as with FCOS.
#   python tools/al_compare.py configs/plans/faster_rcnn_coco.py
_base_ = './coco.py'
config = '../faster_rcnn_coco_isal.py'
methods = dict(
    _delete_=True,
    random=dict(sampler=dict(type='mmal.RandomSampler')),
    isal=dict(),
    localization_stability=dict(sampler=dict(type='mmal.LocalizationStabilitySampler', max_cosine=None)))
published = 11
