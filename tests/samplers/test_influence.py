import logging
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from mmal.engine.dry_run import dry_run
from mmal.errors import InputError
from mmal.fileio.tensors import save_tensors
from mmal.pool.cost_model import CostModel
from mmal.samplers.influence import GradientSimilaritySampler, InfluenceSampler
from tests.sampler_fixtures import ranking


@pytest.fixture
def case():
    return 'detection', dict(type='mmal.InfluenceSampler')


def test_pseudo_boxes_follow_the_threshold(ask):
    loose, strict = (ask(InfluenceSampler(score_thr=t)) for t in (0.005, 1.0))
    assert max(loose.pseudo_boxes.values()) > 0
    assert set(strict.pseudo_boxes.values()) == {0}
    assert all(v != 0 for v in strict.value.values()), 'background has a gradient, too'


def test_a_broken_image_is_named_and_the_rest_scored(ask, dataset):
    (dataset / 'set_005.png').write_bytes(b'x')
    scores = ask(InfluenceSampler())
    assert list(scores.unreadable) == [5]
    assert sorted(scores.value) == [4, *range(6, 15)]


def test_threshold_out_of_range():
    with pytest.raises(ValueError, match='score_thr'):
        InfluenceSampler(score_thr=1.5)


def test_the_sign_more_negative_is_more_helpful(ask, tmp_path):
    """I(z) = -s_test . G_z: an image whose gradient lies along s_test lowers the reference loss when trained on."""

    class Task:
        model = torch.nn.ModuleDict(dict(bbox_head=torch.nn.Linear(1, 1)))

        def loss_mode(self):
            return nullcontext()

        def pseudo_derivative(self, items, image_ids, params, direction, rule):
            return direction.sum() * torch.tensor([float(i) for i in image_ids]), [0] * len(items)

    s_test = {'bbox_head.weight': torch.full((1, 1), 2.0)}
    save_tensors(tmp_path / 's_test.pth', s_test)
    scores = ask(InfluenceSampler(max_cosine=None), ids=[3, 5], adapter=Task)
    assert scores.value == {3: -6.0, 5: -10.0}


def test_influence_for_each_box(ask):
    plain, by_cost = (ask(InfluenceSampler(score_thr=0.005, cost=c)) for c in (None, 'box'))
    total = ask(InfluenceSampler(score_thr=0.005, scale_by_boxes=True))
    assert total.value == pytest.approx({i: v * max(plain.pseudo_boxes[i], 1) for i, v in plain.value.items()})
    both = ask(InfluenceSampler(score_thr=0.005, scale_by_boxes=True, cost='box'))
    assert {i: v for i, v in both.value.items() if v < 0} == {i: v for i, v in plain.value.items() if v < 0}
    assert max(plain.pseudo_boxes.values()) > 1
    per_box = {i: v * max(plain.pseudo_boxes[i], 1) ** (-1 if v < 0 else 1) for i, v in plain.value.items()}
    assert by_cost.value == pytest.approx(per_box)


def test_of_what_helps_alike_and_of_what_harms_alike_the_cheaper_comes_first(monkeypatch):
    influences = dict(cheap_help=-2.0, dear_help=-2.0, cheap_harm=3.0, dear_harm=3.0, nothing=0.0)
    boxes = dict(cheap_help=1, dear_help=4, cheap_harm=1, dear_harm=4, nothing=4)
    findings = {name: (value, boxes[name]) for name, value in influences.items()}
    monkeypatch.setattr(InfluenceSampler, '_influences', lambda self, query: (findings, {}))
    query = SimpleNamespace(logger=logging.getLogger(), costs=CostModel())
    scores = InfluenceSampler(cost='box', max_cosine=None).score(query)
    assert scores.value == dict(cheap_help=-2.0, dear_help=-0.5, nothing=0.0, cheap_harm=3.0, dear_harm=12.0)
    assert ranking(scores) == ['cheap_help', 'dear_help', 'nothing', 'cheap_harm', 'dear_harm']


def test_influence_for_each_second_of_labeling(ask):
    costs = CostModel(seconds_fit=(10, 2))
    plain, by_cost = (ask(InfluenceSampler(score_thr=0.005, cost=c), costs=costs) for c in (None, 'second'))
    seconds = {i: 10 + 2 * max(n, 1) for i, n in plain.pseudo_boxes.items()}
    assert by_cost.value == pytest.approx({i: v * seconds[i] ** (-1 if v < 0 else 1) for i, v in plain.value.items()})
    with pytest.raises(InputError, match=r"cost='second'.*no labeling time is known.*or take cost='box'"):
        ask(InfluenceSampler(cost='second'))


def test_gradient_similarity_asks_for_no_hessian():
    assert GradientSimilaritySampler.solver == dict(type='mmal.Identity')
    assert GradientSimilaritySampler().needs_s_test


def test_of_copies_only_the_best_is_not_ranked_last(ask, dataset):
    """Without the rule, copies have one score and come together."""
    content = (dataset / 'set_009.png').read_bytes()
    for n in (10, 11, 12):
        (dataset / f'set_{n:03d}.png').write_bytes(content)
    copies = {9, 10, 11, 12}
    plain = ranking(ask(InfluenceSampler(score_thr=0.005, max_cosine=None)))
    scores = ask(InfluenceSampler(score_thr=0.005))
    together = sorted(map(plain.index, copies))
    assert together == list(range(together[0], together[0] + 4))
    first, = copies - set(scores.near_copies)
    assert scores.near_copies == dict.fromkeys(copies - {first}, first)
    others = [i for i in plain if i not in scores.near_copies]
    assert ranking(scores)[:-3] == others, 'the rest by its scores'


@pytest.mark.parametrize('step', [1, 3])
def test_copies_of_a_labeled_image_are_gone_through_for_what_differs(ask, dataset, monkeypatch, step):
    from mmal.samplers import near_copies
    monkeypatch.setattr(near_copies, 'BUDGETS_PER_STEP', step)
    for n in range(4, 12):
        (dataset / f'set_{n:03d}.png').write_bytes((dataset / 'set_003.png').read_bytes())
    scores = ask(InfluenceSampler(score_thr=0.005), budget=4)
    assert set(ranking(scores)[:3]) == {12, 13, 14}
    assert scores.near_copies == dict.fromkeys(scores.near_copies, 3)
    assert set(scores.near_copies) == set(range(4, 12))


def test_as_few_images_are_looked_at_as_can_be(ask, monkeypatch):
    from mmal.samplers import near_copies
    monkeypatch.setattr(near_copies, 'BUDGETS_PER_STEP', 1)
    looked_at, real = [], near_copies.extract_features
    monkeypatch.setattr(near_copies, 'extract_features', lambda query, ids, *args: looked_at.append(ids) or
                        real(query, ids, *args))
    best = ranking(ask(InfluenceSampler(score_thr=0.005), budget=4))[:4]
    assert looked_at == [[1, 2, 3, *best]], 'the labeled ones, and a budget'


def test_top_k_of_a_detector_is_refused_before_anything_is_trained(ask, make_cfg):
    cfg = make_cfg()
    cfg.train_cfg.sampler.top_k, cfg.resume = 2, False
    assert any('InfluenceSampler(top_k=2) is for classifiers' in p for p in dry_run(cfg)[1])
    with pytest.raises(InputError, match='top_k=2'):
        ask(InfluenceSampler(top_k=2))


@pytest.mark.parametrize('bad', [dict(cost='euro'), dict(max_cosine=1.0), dict(top_k=0)])
def test_settings_out_of_range(bad):
    with pytest.raises(ValueError, match='InfluenceSampler'):
        InfluenceSampler(**bad)
