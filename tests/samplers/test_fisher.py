import logging
import math

import numpy as np
import pytest
import torch

from mmal.adapters.base import FittedHead
from mmal.adapters.frozen_head.data import FeatureTable, RowDataset
from mmal.adapters.frozen_head.logistic_regression import fit
from mmal.adapters.frozen_head.model import FrozenHeadAdapter
from mmal.errors import InputError
from mmal.fileio.tensors import save_tensors
from mmal.samplers.base import Query
from mmal.samplers.filter_check import Verdict
from mmal.samplers.fisher import FisherSampler
from mmal.samplers.influence import InfluenceSampler
from tests.sampler_fixtures import ranking

N_POOL, N_REFERENCE, D, C = 30, 12, 3, 4
LABELED = [0, 1, 2, 3, 4]


@pytest.fixture(params=[False, True], ids=['one class', 'several classes'])
def several(request):
    return request.param


def make(several, tmp_path, fitted=True):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(N_POOL + N_REFERENCE, D, generator=generator)
    targets = torch.nn.functional.one_hot(torch.randint(0, C, (len(features),), generator=generator), C).float()
    if several:
        targets = (torch.rand(len(features), C, generator=generator) < 0.4).float()
    table = FeatureTable(features, targets)
    layer = fit(features[LABELED].double().numpy(), targets[LABELED].double().numpy(), 0.7, several)
    adapter = FrozenHeadAdapter(layer, table.embed, table.targets_of)
    if not fitted:
        del adapter.l2
    rows = range(N_POOL)
    query = Query(
        round=0, seed=0, ids=[i for i in rows if i not in LABELED], labeled=LABELED, budget=5, folder=tmp_path,
        pass_dir=tmp_path / 'passes', images=lambda: (RowDataset(rows), {i: i for i in rows}),
        labeled_images=lambda: RowDataset(LABELED), adapter=lambda: adapter, batch_size=8, num_workers=0,
        logger=logging.getLogger(), reference_images=lambda: RowDataset(range(N_POOL, N_POOL + N_REFERENCE)))
    return query, adapter, table


def brute(adapter, points, candidates, target, l2, several, shares=None, taken=()):
    """Delta of each candidate by matrices inverted anew. Points have their ones already."""
    p = torch.cat([a[:, 0][None] if several else a for a in adapter.probabilities(range(len(points)))]).double()
    if not several:
        p = p.amax(1, keepdim=True)
    w = p * (1 - p)
    shares = shares if shares is not None else torch.full((len(target),), 1 / len(target), dtype=torch.double)
    gains = {}
    for z in candidates:
        gains[z] = 0.0
        for b in range(w.shape[1]):
            precision = l2 * torch.eye(D + 1, dtype=torch.double)
            for i in [*LABELED, *taken]:
                precision += w[i, b] * torch.outer(points[i], points[i])
            f = sum(s * w[t, b] * torch.outer(points[t], points[t]) for s, t in zip(shares, target, strict=True))
            after = torch.linalg.inv(precision + w[z, b] * torch.outer(points[z], points[z]))
            gains[z] += float(torch.trace(f @ (torch.linalg.inv(precision) - after))) / 2
    return gains


def with_ones(features):
    return torch.cat([features, torch.ones(len(features), 1)], 1).double()


@pytest.mark.parametrize('target', ['pool', 'reference', 'both'])
def test_it_chooses_what_dense_matrices_choose(several, tmp_path, target):
    query, adapter, table = make(several, tmp_path)
    assert isinstance(adapter, FittedHead)
    scores = FisherSampler(target=target).score(query)
    points = with_ones(table.features)
    pool, reference = list(range(N_POOL)), list(range(N_POOL, N_POOL + N_REFERENCE))
    rows = dict(pool=pool, reference=reference, both=pool + reference)[target]
    shares = torch.full((len(rows),), 1 / len(rows), dtype=torch.double)
    if target == 'both':
        shares = torch.tensor([0.5 / N_POOL] * N_POOL + [0.5 / N_REFERENCE] * N_REFERENCE, dtype=torch.double)
    taken = []
    for chosen in scores.order:
        left = [i for i in query.ids if i not in taken]
        gains = brute(adapter, points, left, rows, adapter.l2, several, shares, taken)
        assert gains[chosen] == pytest.approx(max(gains.values()), rel=1e-5)
        assert scores.value[chosen] == pytest.approx(-gains[chosen], rel=1e-4)
        taken.append(chosen)
    assert len(taken) == 5
    assert ranking(scores)[:5] == taken


def softmax_brute(adapter, points, candidates, target, rank, taken=()):
    """Delta of each candidate over all D + 1 times C parameters, by matrices inverted anew."""
    p = torch.cat(adapter.probabilities(range(len(points)))).double()

    def curvature(i):
        outputs = torch.zeros(C, C, dtype=torch.double)
        for a in p[i].argsort(descending=True)[:rank].tolist():
            direction = torch.eye(C, dtype=torch.double)[a] - p[i]
            outputs += p[i, a] * torch.outer(direction, direction)
        return torch.kron(outputs, torch.outer(points[i], points[i]))

    precision = adapter.l2 * torch.eye(C * (D + 1), dtype=torch.double)
    precision = precision + sum(curvature(i) for i in [*LABELED, *taken])
    f = sum(curvature(t) for t in target) / len(target)
    before = torch.linalg.inv(precision)
    return {z: float(torch.trace(f @ (before - torch.linalg.inv(precision + curvature(z))))) / 2 for z in candidates}


@pytest.mark.parametrize(('rank', 'n_classes'), [(1, 1), (2, 2), ('full', C)])
def test_with_a_rank_it_chooses_what_matrices_over_all_parameters_choose(rank, n_classes, tmp_path):
    query, adapter, table = make(False, tmp_path)
    scores = FisherSampler(rank=rank, target='reference').score(query)
    points = with_ones(table.features)
    taken = []
    for chosen in scores.order:
        left = [i for i in query.ids if i not in taken]
        gains = softmax_brute(adapter, points, left, range(N_POOL, N_POOL + N_REFERENCE), n_classes, taken)
        assert gains[chosen] == pytest.approx(max(gains.values()), rel=1e-5)
        assert scores.value[chosen] == pytest.approx(-gains[chosen], rel=1e-4)
        taken.append(chosen)
    assert len(taken) == 5


def test_blocks_of_several_labels_are_the_same_with_any_rank(tmp_path):
    query, _, _ = make(True, tmp_path)
    expected = FisherSampler().score(query)
    query.pass_dir = tmp_path / 'again'
    assert FisherSampler(rank=2).score(query).value == expected.value


def test_balance_gives_each_predicted_class_the_same_weight(tmp_path):
    query, adapter, table = make(False, tmp_path)
    scores = FisherSampler(target='reference', balance=True).score(query)
    rows = list(range(N_POOL, N_POOL + N_REFERENCE))
    classes = torch.cat(adapter.probabilities(rows)).argmax(1).tolist()
    shares = torch.tensor([1 / (len(set(classes)) * classes.count(c)) for c in classes], dtype=torch.double)
    assert float(shares.sum()) == pytest.approx(1)
    assert len(set(shares.tolist())) > 1
    gains = brute(adapter, with_ones(table.features), query.ids, rows, adapter.l2, False, shares)
    assert scores.order[0] == max(gains, key=gains.get)


def test_features_of_a_trained_network_are_centred_and_scaled_and_have_a_prior_of_their_own(tmp_path):
    query, adapter, table = make(False, tmp_path, fitted=False)
    assert not isinstance(adapter, FittedHead)
    pool = table.features[:N_POOL].double()
    scaled = (pool - pool.mean(0)) / (pool - pool.mean(0)).square().mean().sqrt()
    for l2 in (None, 2.0):
        scores = FisherSampler(l2=l2).score(query)
        gains = brute(adapter, with_ones(scaled), query.ids, range(N_POOL), (l2 or 0.1) * D, False)
        first = max(gains, key=gains.get)
        assert scores.order[0] == first
        assert scores.value[first] == pytest.approx(-gains[first], rel=1e-4)


def test_held_out_images_teach_nothing(tmp_path):
    query, _, _ = make(False, tmp_path)
    before = FisherSampler().score(query).value
    query.held_out = LABELED[:4]
    query.pass_dir = tmp_path / 'again'
    after = FisherSampler().score(query)
    assert after.value[after.order[0]] < before[after.order[0]]


def test_of_a_large_pool_a_sample_is_the_target_and_seeds_draw_others(tmp_path, monkeypatch):
    from mmal.samplers import fisher
    query, _, _ = make(False, tmp_path)
    seen = []
    real = fisher.Posterior

    def posterior(labeled, weights, targets, *rest):
        seen.append(targets)
        return real(labeled, weights, targets, *rest)

    monkeypatch.setattr(fisher, 'Posterior', posterior)
    for seed in (0, 1):
        query.seed = seed
        query.pass_dir = tmp_path / f'passes_{seed}'
        FisherSampler(max_targets=7).score(query)
    assert [len(targets) for targets in seen] == [7, 7]
    assert not torch.equal(seen[0], seen[1])


def test_a_target_without_a_reference_set_is_refused(tmp_path):
    query, _, _ = make(False, tmp_path)
    query.reference_images = None
    with pytest.raises(InputError, match=r"need a reference set: add dict\(type='mmal.StestHook'\)"):
        FisherSampler(target='reference').score(query)
    query.reference_images = lambda: RowDataset([])
    with pytest.raises(InputError, match='reference set is empty'):
        FisherSampler(target='both').score(query)


@pytest.mark.parametrize('bad', [dict(target='test'), dict(rank=0), dict(rank='all'), dict(rank=1.5), dict(l2=0.0),
                                 dict(max_targets=0)])
def test_arguments_out_of_range(bad):
    with pytest.raises(ValueError, match='FisherSampler: expected'):
        FisherSampler(**bad)


@pytest.mark.parametrize('bad', [dict(batch='bait'), dict(filter=0.5), dict(filter=math.nan)])
def test_arguments_of_the_composed_batch_out_of_range(bad):
    with pytest.raises(ValueError, match='InfluenceSampler: expected'):
        InfluenceSampler(**bad)


COMPOSED = dict(batch='fisher', target='reference', check_filter=False, max_cosine=None)


@pytest.fixture
def influences(monkeypatch):
    """Influence of each image is its row, lowest first."""
    def given(self, query):
        return {i: (float(i), 1) for i in query.ids}, {}
    monkeypatch.setattr(InfluenceSampler, '_influences', given)


def test_influence_filters_and_fisher_composes(influences, tmp_path):
    query, adapter, table = make(False, tmp_path)
    query.budget = 3
    scores = InfluenceSampler(**COMPOSED, filter=2.0).score(query)
    passing = list(range(5, 11))
    assert set(scores.order) <= set(passing)
    assert len(scores.order) == 3
    reference = range(N_POOL, N_POOL + N_REFERENCE)
    gains = brute(adapter, with_ones(table.features), passing, reference, adapter.l2, False)
    assert scores.order[0] == max(gains, key=gains.get)
    rest = [i for i in range(5, N_POOL) if i not in scores.order]
    assert ranking(scores) == [*scores.order, *rest], 'others by influence'
    assert scores.value[7] == 7.0, 'scores stay influences'


def test_a_filter_of_one_budget_is_the_plain_choice_and_a_wide_one_is_fisher_alone(influences, tmp_path):
    query, _, _ = make(False, tmp_path)
    narrow = InfluenceSampler(**COMPOSED, filter=1.0).score(query)
    assert set(narrow.order) == {5, 6, 7, 8, 9}
    query.pass_dir = tmp_path / 'wide'
    wide = InfluenceSampler(**COMPOSED, filter=99.0).score(query)
    query.pass_dir = tmp_path / 'fisher'
    assert wide.order == FisherSampler(target='reference').score(query).order


def test_near_copies_do_not_pass_the_filter(influences, tmp_path, monkeypatch):
    from mmal.samplers.near_copies import NearCopyRule
    query, _, _ = make(False, tmp_path)

    def mark(self, query, scores):
        scores.near_copies[5] = 0
        return scores

    monkeypatch.setattr(NearCopyRule, 'apply', mark)
    scores = InfluenceSampler(**dict(COMPOSED, max_cosine=0.9), filter=1.0).score(query)
    assert set(scores.order) == {6, 7, 8, 9, 10}
    assert ranking(scores)[-1] == 5


@pytest.mark.parametrize('is_right', [True, False])
def test_a_filter_that_is_wrong_on_the_reference_set_is_let_go(influences, tmp_path, monkeypatch, is_right):
    query, _, _ = make(False, tmp_path)
    monkeypatch.setattr(InfluenceSampler, '_is_right_on_reference', lambda self, query: is_right)
    sampler = InfluenceSampler(**dict(COMPOSED, check_filter=True), filter=1.0)
    order = sampler.score(query).order
    query.pass_dir = tmp_path / 'fisher'
    assert (set(order) == {5, 6, 7, 8, 9}) == is_right
    assert (order == FisherSampler(target='reference').score(query).order) != is_right


def test_the_filter_is_checked_by_true_and_guessed_labels_of_the_reference_set(several, tmp_path, monkeypatch):
    from mmal.samplers import influence
    query, adapter, table = make(several, tmp_path)
    s_test = {name: torch.randn_like(value) for name, value in adapter.model.named_parameters()}
    save_tensors(tmp_path / 's_test.pth', s_test)
    seen = []
    monkeypatch.setattr(influence, 'check_filter', lambda *given: seen.append(given) or Verdict(False, 'no'))
    assert InfluenceSampler(batch='fisher')._is_right_on_reference(query) is False
    guessed, true = seen[0]
    for place, row in enumerate(range(N_POOL, N_POOL + N_REFERENCE)):
        x, outputs = table.features[row], adapter.model(table.features[row][None])[0]
        p = outputs.sigmoid() if several else outputs.softmax(0)
        tangent = s_test['fc.weight'] @ x + s_test['fc.bias']
        own = (p > 0.5).float() if several else torch.nn.functional.one_hot(p.argmax(), C)
        assert true[place] == pytest.approx(-float((p - table.targets[row]) @ tangent), abs=1e-4)
        assert guessed[place] == pytest.approx(-float((p - own) @ tangent), abs=1e-4)


def test_images_without_finite_features_are_last(tmp_path):
    query, _, table = make(False, tmp_path)
    table.features[9] = np.nan
    scores = FisherSampler().score(query)
    assert scores.nonfinite == [9]
    assert ranking(scores)[-1] == 9
