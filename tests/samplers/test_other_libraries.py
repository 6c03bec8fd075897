"""Our algorithms against scikit-activeml's and baal's own implementations, where they have the method."""

import numpy as np
import pytest
import torch

from mmal.samplers.algorithms.kcenter import kcenter_greedy, nearest_distance
from mmal.samplers.algorithms.kmeans_pp import kmeans_pp
from mmal.samplers.algorithms.max_herding import max_herding
from mmal.samplers.uncertainty import entropy, least_confidence, small_margin

N_LABELED = 7
X = np.random.default_rng(0).normal(size=(60, 5))
Y = np.where(np.arange(60) < N_LABELED, np.arange(60) % 3, np.nan)
P = np.random.default_rng(1).dirichlet(np.ones(4), size=30)


@pytest.fixture
def pool():
    return pytest.importorskip('skactiveml.pool', reason='optional: scikit-activeml')


def test_core_set(pool):
    expected, utilities = pool.CoreSet(random_state=0).query(X, Y, batch_size=12, return_utilities=True)
    points = torch.from_numpy(X)
    rows, distance = kcenter_greedy(points[N_LABELED:], points[:N_LABELED], 12)
    assert [row + N_LABELED for row in rows] == list(expected)
    taken = [utilities[step, index] for step, index in enumerate(expected)]
    assert distance[rows].tolist() == pytest.approx(taken)
    first = nearest_distance(points[N_LABELED:], points[:N_LABELED])
    assert first.tolist() == pytest.approx(utilities[0, N_LABELED:].tolist())


@pytest.mark.parametrize('n_labeled', [0, N_LABELED])
def test_max_herding(pool, n_labeled):
    """There what is to be covered are the candidates. The ninth gain is that of two images alike, a tie."""
    y = np.where(np.arange(60) < n_labeled, 0, np.nan)
    sampler = pool.MaxHerding(metric_dict=dict(gamma=1 / 0.7**2), random_state=0)
    expected, utilities = sampler.query(X, y, batch_size=12, return_utilities=True)
    unit = torch.nn.functional.normalize(torch.from_numpy(X), dim=1)
    rows, gains = max_herding(unit[n_labeled:], unit[n_labeled:], unit[:n_labeled], 12, radius=0.7)
    assert [row + n_labeled for row in rows[:8]] == list(expected[:8])
    assert gains[rows].tolist() == pytest.approx([utilities[step, index] for step, index in enumerate(expected)])


def test_badge(pool):
    """There the origin counts as drawn from the second draw on, which their paper's code does not have."""
    from skactiveml.classifier import SklearnClassifier
    from sklearn.linear_model import LogisticRegression
    classifier = SklearnClassifier(LogisticRegression(), classes=[0, 1, 2]).fit(X, Y)
    expected, utilities = pool.Badge(random_state=0).query(X, Y, classifier, fit_clf=False, batch_size=2,
                                                           return_utilities=True)
    p = torch.from_numpy(classifier.predict_proba(X[N_LABELED:]))
    left = p - torch.nn.functional.one_hot(p.argmax(1), 3)
    right = torch.from_numpy(X[N_LABELED:])
    rows, squared_distance = kmeans_pp(left, right, 1, seed=0)
    assert rows[0] + N_LABELED == expected[0]
    nearest = torch.minimum(squared_distance, left.square().sum(1) * right.square().sum(1))
    share = nearest / nearest.sum()
    theirs = np.nan_to_num(utilities[1, N_LABELED:])
    assert share.tolist() == pytest.approx(theirs.tolist(), abs=1e-9)


@pytest.mark.parametrize(('method', 'ours'), [('entropy', entropy), ('margin_sampling', small_margin),
                                              ('least_confident', least_confidence)])
def test_uncertainty(pool, method, ours):
    scores = pytest.importorskip('skactiveml.pool._uncertainty_sampling').uncertainty_scores(P, method=method)
    assert ours(torch.from_numpy(P)).tolist() == pytest.approx(scores.tolist())


@pytest.mark.parametrize(('name', 'ours'), [('Entropy', entropy), ('Margin', lambda p: 1 - small_margin(p)),
                                            ('Certainty', lambda p: 1 - least_confidence(p))])
def test_uncertainty_of_baal(name, ours):
    heuristics = pytest.importorskip('baal.active.heuristics', reason='optional: baal')
    scores = getattr(heuristics, name)().compute_score(P)
    assert ours(torch.from_numpy(P)).tolist() == pytest.approx(scores.tolist())
