# A linear classifier on the pixels of scikit-learn's digits: what `make demo-compare` compares methods on.
_base_ = './resnet_digits_isal.py'
model = dict(
    backbone=dict(_delete_=True, type='mmal.Pixels', side=8), neck=None, head=dict(in_channels=64))
