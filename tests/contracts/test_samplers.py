"""What every sampler must do, whatever it is."""

import json
import logging
import math

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules

from mmal.artifacts import save_tensors
from mmal.influence import select_parameters
from mmal.pool import ranked, spend
from mmal.registry import SAMPLERS
from mmal.samplers import Query
from mmal.tasks import build_data, build_task

ALL = [dict(type='mmal.RandomSampler'), dict(type='mmal.InfluenceSampler', score_thr=0.005)]


@pytest.fixture(params=ALL, ids=lambda cfg: cfg['type'])
def sampler(request):
    return SAMPLERS.build(request.param)


@pytest.fixture
def ask(make_cfg, dataset, tmp_path):
    """Ask a sampler about some ids; anything about the query may be changed."""
    register_all_modules(init_default_scope=True)
    cfg = make_cfg()
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    params = select_parameters(model, [f'bbox_head.conv_{n}' for n in ('cls', 'reg', 'centerness')])
    save_tensors(tmp_path / 's_test.pth', {n: torch.randn_like(p) for n, p in params.items()})

    def go(sampler, ids=tuple(range(1, 15)), order=1, s_test=None, **changes):
        if s_test is not None:
            save_tensors(tmp_path / 's_test.pth', s_test)

        def images():
            data = build_data(cfg)
            listing = data.listing()
            listing['images'] = listing['images'][::order]
            (tmp_path / 'pool.json').write_text(json.dumps(listing))
            pool = data.pool_dataset(str(tmp_path / 'pool.json'))
            return pool, {pool.get_data_info(r)['img_id']: r for r in range(len(pool))}

        settings = dict(round=0, seed=0, ids=list(ids), folder=tmp_path, images=images,
                        task=lambda: build_task(model, cfg), batch_size=4, num_workers=0, logger=logging.getLogger())
        return sampler.score(Query(**(settings | changes)))

    return go


def test_every_id_gets_one_finite_score_and_no_other_does(sampler, ask):
    scores = ask(sampler, ids=[2, 5, 11])
    assert sorted(scores.value) == [2, 5, 11]
    assert all(math.isfinite(v) for v in scores.value.values())
    assert not scores.unreadable


def test_deterministic_in_the_seed_and_indifferent_to_order(sampler, ask):
    first = ask(sampler)
    assert ask(sampler).value == first.value
    for other in (ask(sampler, ids=range(14, 0, -1)), ask(sampler, order=-1), ask(sampler, batch_size=1)):
        assert other.value == pytest.approx(first.value, rel=1e-3, abs=1e-6)
        assert ranked(other.value, 0, 'x') == ranked(first.value, 0, 'x')


def test_ground_truth_is_not_reached(sampler, ask, dataset):
    first = ask(sampler)
    data = json.loads((dataset / 'train.json').read_text())
    for a in data['annotations']:
        a.update(bbox=[0, 0, 9, 9], area=81)
    data['annotations'] = data['annotations'][:5]
    (dataset / 'train.json').write_text(json.dumps(data))
    assert ask(sampler).value == first.value


def test_one_image_no_image_and_a_budget_beyond_the_pool(sampler, ask):
    assert list(ask(sampler, ids=[7]).value) == [7]
    assert ask(sampler, ids=[]).value == {}
    order = ranked(ask(sampler).value, 0, 'x')
    chosen = spend(order, 99, lambda i: 1)
    assert sorted(chosen) == list(range(1, 15))


def test_column_and_need_are_stated(sampler):
    assert isinstance(sampler.column, str)
    assert isinstance(sampler.needs_s_test, bool)
