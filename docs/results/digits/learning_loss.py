# The digits' classifier with a loss-prediction module on its two stages; its gradient reaches them for 18 of 30 epochs.
_base_ = '../../../configs/resnet_digits_isal.py'
model = dict(_delete_=True, type='mmal.LearningLoss', model=_base_.model, detach_epoch=18,
             feature_maps=['backbone.layer1', 'backbone.layer2'])
