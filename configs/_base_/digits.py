# scikit-learn's handwritten digits as a classification data set; nothing is downloaded.
data_preprocessor = dict(num_classes=10, mean=[127.5] * 3, std=[127.5] * 3, to_rgb=False)
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    dataset=dict(type='mmal.Digits', split='train', pipeline=[dict(type='PackInputs')]),
    sampler=dict(type='InfiniteSampler', shuffle=True))
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    dataset=dict(type='mmal.Digits', split='val', pipeline=[dict(type='PackInputs')], test_mode=True),
    sampler=dict(type='DefaultSampler', shuffle=False))
test_dataloader = dict(
    batch_size=64,
    num_workers=0,
    dataset=dict(type='mmal.Digits', split='test', pipeline=[dict(type='PackInputs')], test_mode=True),
    sampler=dict(type='DefaultSampler', shuffle=False))
val_evaluator = dict(type='Accuracy', topk=(1, ))
test_evaluator = val_evaluator
val_cfg = dict()
test_cfg = dict()
