# Scenes of scikit-learn's real handwritten digits, made on first use. val is the reference set, test is what the
# curve reports; no scan is in two of them.
data_root = 'data/digit_scenes/'

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomAffine', max_rotate_degree=5, max_translate_ratio=0.1, scaling_ratio_range=(0.8, 1.2),
         max_shear_degree=0),
    dict(type='PackDetInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(128, 128), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))
]
scenes = dict(type='mmal.DigitScenes', data_root=data_root, data_prefix=dict(img=''))

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(**scenes, ann_file='annotations/train.json', filter_cfg=dict(filter_empty_gt=True),
                 pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**scenes, ann_file='annotations/val.json', test_mode=True, pipeline=test_pipeline))
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader['dataset'], ann_file='annotations/test.json'))
val_evaluator = dict(type='CocoMetric', ann_file=data_root + 'annotations/val.json', metric='bbox')
test_evaluator = dict(val_evaluator, ann_file=data_root + 'annotations/test.json')
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
