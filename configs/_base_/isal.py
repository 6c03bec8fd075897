# What every ISAL experiment shares. A config inherits this beside its mmdet base and takes from it
#   train_cfg = dict(**_base_.active_loop, initial=..., query=..., rounds=...)
#   custom_hooks = [_base_.stest_hook]
# An experiment of the paper takes paper_loop in the place of active_loop: near-copies are ranked like other images, and
# the first images are drawn at random, although most backbones are pretrained.
active_loop = dict(
    type='mmal.ActiveLoop',
    sampler=dict(type='mmal.InfluenceSampler'),
    oracle=dict(type='mmal.SimulatedOracle'),
    unit='image')
paper_loop = dict(
    active_loop, sampler=dict(type='mmal.InfluenceSampler', max_cosine=None), cold_start='random')

# The last layers are found from the loss, and s_test is solved for by mmal.CG; params=[...] and solver=dict(...) change
# that.
stest_hook = dict(type='mmal.StestHook', reference='val')
