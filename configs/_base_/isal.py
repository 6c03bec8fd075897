# What every ISAL experiment shares. A config inherits this beside its mmdet base and takes from it
#   train_cfg = dict(**_base_.active_loop, initial=..., query=..., rounds=...)
#   custom_hooks = [_base_.stest_hook]
active_loop = dict(
    type='mmal.ActiveLoop',
    sampler=dict(type='mmal.InfluenceSampler'),
    oracle=dict(type='mmal.SimulatedOracle'),
    unit='image')

# The last convolutions of FCOS (paper, section 4.2). Its Hessian is indefinite (the box loss): damping * scale, the
# damping in units of the Hessian, must exceed the most negative eigenvalue, and 1 / damping steps must fit into depth.
lissa = dict(type='mmal.LiSSA', damping=0.1, scale=1000.0, depth=150, batch_size=8, repeats=4)
stest_hook = dict(
    type='mmal.StestHook',
    reference='val',
    params=['bbox_head.conv_cls', 'bbox_head.conv_reg', 'bbox_head.conv_centerness'],
    solver=lissa)

randomness = dict(seed=0)
