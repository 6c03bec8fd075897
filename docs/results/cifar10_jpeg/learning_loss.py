# The same classifier with a loss-prediction module on its stages; its gradient reaches them for 0.6 of a training.
_base_ = './config.py'
model = dict(_delete_=True, type='mmal.LearningLoss', model=_base_.model, detach_at=0.6,
             feature_maps=['backbone.layer1', 'backbone.layer2', 'backbone.layer3'])
