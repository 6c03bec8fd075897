"""The greedy choice against dense matrices that are inverted anew at every step."""

import pytest
import torch

from mmal.samplers.algorithms import fisher_greedy as fisher
from mmal.samplers.algorithms.fisher import Candidates, Posterior
from mmal.samplers.algorithms.fisher_greedy import fisher_greedy

N, P, L, T = 9, 4, 5, 7


def problem(blocks=1, labeled=L, seed=0, dtype=torch.double):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.double).to(dtype)

    def weights(n):
        return (torch.rand(n, blocks, generator=generator, dtype=torch.double) / 4).to(dtype)

    return dict(points=draw(N, P), weights=weights(N), labeled=draw(labeled, P), labeled_weights=weights(labeled),
                targets=draw(T, P), target_weights=weights(T), l2=0.3)


def made(points, weights, **posterior_arguments):
    posterior = Posterior(**posterior_arguments)
    return posterior, Candidates(points, weights, posterior)


def greedy(given, k, allowed=None):
    n = len(given['points'])
    return fisher_greedy(*made(**given), k, torch.ones(n, dtype=torch.bool) if allowed is None else allowed)


def brute_gains(points, weights, labeled, labeled_weights, targets, target_weights, l2, taken=()):
    """Delta of each candidate by its definition: the trace of the target with a difference of inverses."""
    gains = torch.zeros(len(points), dtype=torch.double)
    for b in range(weights.shape[1]):
        precision = l2 * torch.eye(points.shape[1], dtype=torch.double)
        for x, w in [*zip(labeled, labeled_weights[:, b], strict=True), *((points[i], weights[i, b]) for i in taken)]:
            precision = precision + w * torch.outer(x, x)
        target = sum(w * torch.outer(x, x) for x, w in zip(targets, target_weights[:, b], strict=True))
        for i, (x, w) in enumerate(zip(points, weights[:, b], strict=True)):
            after = torch.linalg.inv(precision + w * torch.outer(x, x))
            gains[i] += torch.trace(target @ (torch.linalg.inv(precision) - after)) / 2
    return gains


@pytest.mark.parametrize('blocks', [1, 3])
@pytest.mark.parametrize('labeled', [L, 0])
def test_gains_are_those_of_the_definition(blocks, labeled):
    given = problem(blocks, labeled)
    assert torch.allclose(made(**given)[1].gains(), brute_gains(**given), rtol=1e-9)


@pytest.mark.parametrize('blocks', [1, 3])
def test_the_greedy_choice_is_that_of_matrices_inverted_anew(blocks):
    given = problem(blocks)
    chosen, gains = greedy(given, 6)
    taken = []
    for place, row in enumerate(chosen):
        expected = brute_gains(**given, taken=taken)
        open_rows = [i for i in range(N) if i not in taken]
        assert row == max(open_rows, key=lambda i: float(expected[i])), place
        assert float(gains[row]) == pytest.approx(float(expected[row]), rel=1e-8)
        taken.append(row)
    after = brute_gains(**given, taken=taken)
    for i in set(range(N)) - set(taken):
        assert float(gains[i]) == pytest.approx(float(after[i]), rel=1e-8)


def test_the_small_weight_limit_is_the_mean_squared_influence():
    """Half of tr(A F A w x x'): what BAIT has in common with ISAL."""
    given = problem()
    given['weights'] = given['weights'] * 1e-6
    precision = 0.3 * torch.eye(P, dtype=torch.double)
    for x, w in zip(given['labeled'], given['labeled_weights'][:, 0], strict=True):
        precision += w * torch.outer(x, x)
    inverse = torch.linalg.inv(precision)
    expected = torch.zeros(N, dtype=torch.double)
    for x, w in zip(given['targets'], given['target_weights'][:, 0], strict=True):
        influence = given['points'] @ inverse @ x
        expected += w * given['weights'][:, 0] * influence.square() / 2
    assert torch.allclose(made(**given)[1].gains(), expected, rtol=1e-5)


def test_a_copy_of_what_was_taken_is_worth_less_and_one_that_is_sure_nothing():
    given = problem()
    given['points'][3] = given['points'][1]
    given['weights'][3] = given['weights'][1] = 0.25
    given['weights'][5] = 0
    before = made(**given)[1].gains()
    assert before[3] == before[1]
    assert before[5] == 0
    only_one = torch.arange(N) == 1
    assert greedy(given, 1, only_one)[1][3] < before[3]


def test_candidates_that_are_not_allowed_stay_and_the_order_of_rows_changes_nothing():
    given = problem()
    allowed = torch.ones(N, dtype=torch.bool)
    best = greedy(given, 1, allowed)[0][0]
    allowed[best] = False
    chosen, _ = greedy(given, 99, allowed)
    assert sorted(chosen) == [i for i in range(N) if i != best]
    flipped = dict(given, points=given['points'].flip(0), weights=given['weights'].flip(0))
    again, _ = greedy(flipped, 99, allowed.flip(0))
    assert [N - 1 - i for i in again] == chosen


def test_of_equal_candidates_the_first_row_is_taken():
    given = problem()
    given['points'][:] = given['points'][0]
    given['weights'][:] = 0.2
    assert greedy(given, 3)[0] == [0, 1, 2]


def many(n=400, d=30, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(n, d, generator=generator).to(dtype)
    weights = (torch.rand(n, 1, generator=generator) / 4).to(dtype)
    return dict(points=points, weights=weights, labeled=points[:5], labeled_weights=weights[:5], targets=points,
                target_weights=weights / n, l2=3.0)


def test_many_updates_in_float32_do_not_drift():
    given = many()
    chosen, gains = greedy(given, 300)
    fresh = dict(given, labeled=torch.cat([given['points'][:5], given['points'][chosen]]),
                 labeled_weights=torch.cat([given['weights'][:5], given['weights'][chosen]]))
    others = [i for i in range(400) if i not in chosen]
    assert torch.allclose(gains[others], made(**fresh)[1].gains()[others], rtol=1e-3)


@pytest.mark.parametrize(('active', 'ahead'), [(1, 4), (3, 2), (40, 16)])
def test_choices_made_ahead_are_those_of_looking_at_all_each_time(monkeypatch, active, ahead):
    given = many(200, 8, torch.double)
    expected = greedy(given, 60)
    monkeypatch.setattr(fisher, 'ACTIVE', active)
    monkeypatch.setattr(fisher, 'AHEAD', ahead)
    chosen, gains = greedy(given, 60)
    assert chosen == expected[0]
    assert torch.allclose(gains, expected[1], rtol=1e-9)
