"""Who holds images out."""

import pytest
from mmengine.config import Config

from mmal.engine.holdout import holdout_share, holdout_share_of, needs_reference
from mmal.errors import InputError
from mmal.fileio.text import read_json


@pytest.mark.parametrize(('given', 'needs', 'reference', 'share'), [
    (None, True, 'holdout', 0.2), (None, False, 'holdout', 0.0), (None, True, 'val', 0.0), (None, True, None, 0.0),
    (0.5, False, None, 0.5), (0.0, True, 'holdout', 0.0), (None, True, dict(type='CocoDataset'), 0.0)])
def test_images_are_held_out_for_a_sampler_that_needs_a_reference_set(given, needs, reference, share):
    assert holdout_share(given, needs, reference) == share


@pytest.mark.parametrize(('sampler', 'hooks', 'share'), [
    ('mmal.InfluenceSampler', [dict(type='EMAHook'), dict(type='mmal.StestHook', reference='holdout')], 0.2),
    ('mmal.RandomSampler', [dict(type='mmal.StestHook', reference='holdout')], 0.0),
    ('mmal.InfluenceSampler', [dict(type='mmal.StestHook')], 0.0), ('mmal.InfluenceSampler', None, 0.0)])
def test_the_share_of_a_config_is_known_before_it_is_built(sampler, hooks, share):
    cfg = Config(dict(train_cfg=dict(sampler=dict(type=sampler)), custom_hooks=hooks))
    assert holdout_share_of(cfg) == share
    assert needs_reference(cfg) == ('Influence' in sampler)


@pytest.mark.usefixtures('no_drawing')
def test_a_random_run_of_a_config_with_a_holdout_trains_on_all(make_cfg, run):
    def go(sampler, **more):
        cfg = make_cfg(sampler=dict(type=sampler), rounds=1, max_epochs=1, **more)
        cfg.custom_hooks[0].reference = 'holdout'
        cfg.resume = True
        return run(cfg)

    work_dir = go('mmal.RandomSampler')
    assert len(read_json(work_dir / 'initial.json')['images']) == 6
    assert not (work_dir / 'holdout.json').exists()
    with pytest.raises(InputError, match='was begun for a sampler that needs no reference set, and holds nothing out'):
        go('mmal.InfluenceSampler', allow_config_change=True)
