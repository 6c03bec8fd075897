# ISAL on VOC2012 with FCOS-R50 (paper, section 4.2): 500 images of the train part, then 500 a round; mAP on the val
# part, which is also the reference set. Images are 1333 x 800 as in the first authors' config (mmdet's for VOC has
# 1000 x 600, and leaves boxes below 32 pixels out), gradients are clipped at 8, and the rest is as on COCO. Objects
# marked difficult count as boxes, as in the paper's Table 8, but are not trained on.
_base_ = './fcos_coco_isal.py'

train_cfg = dict(initial=500, query=500, rounds=10)
model = dict(bbox_head=dict(num_classes=20))

voc = dict(_delete_=True, type='VOCDataset', data_root='data/VOCdevkit/', data_prefix=dict(sub_data_root='VOC2012/'))
train_dataloader = dict(
    dataset=dict(**voc, ann_file='VOC2012/ImageSets/Main/train.txt', pipeline=_base_.train_pipeline,
                 filter_cfg=dict(filter_empty_gt=True, min_size=32)))
val_dataloader = dict(
    dataset=dict(**voc, ann_file='VOC2012/ImageSets/Main/val.txt', pipeline=_base_.test_pipeline, test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='VOCMetric', metric='mAP', eval_mode='area')
test_evaluator = val_evaluator
optim_wrapper = dict(clip_grad=dict(max_norm=8))
