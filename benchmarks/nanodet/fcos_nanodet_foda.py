# FODA: 31 very unequal classes, about one box an image, frames of short videos.
_base_ = './fcos_nanodet_custom.py'
train_cfg = dict(initial=155, query=62, rounds=5)
model = dict(bbox_head=dict(feat_channels=32))
