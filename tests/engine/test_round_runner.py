from mmal.engine.round_runner import round_cfg
from mmal.utils.seeding import derive_seed


def test_the_processes_of_a_round_have_one_seed(make_cfg, tmp_path):
    cfg = make_cfg()
    cfg.randomness = dict(seed=3, diff_rank_seed=True, deterministic=True)
    made = round_cfg(cfg, 'name', tmp_path, 1, 3, dict(type='EpochBasedTrainLoop', max_epochs=1))
    assert made.randomness == dict(seed=derive_seed(3, 'train/1'), diff_rank_seed=False, deterministic=True)
