"""Several columns a point against matrices over all parameters that are inverted anew at every step."""

import pytest
import torch

from mmal.samplers.algorithms import fisher_columns, fisher_greedy
from mmal.samplers.algorithms.fisher_columns import ColumnCandidates, ColumnPosterior, softmax_factors

N, P, L, T, C, L2 = 9, 3, 5, 7, 4, 0.3


def problem(labeled=L, seed=0, n=N, dtype=torch.double):
    generator = torch.Generator().manual_seed(seed)

    def draw(rows):
        points = torch.randn(rows, P, generator=generator, dtype=torch.double)
        outputs = torch.randn(rows, C, generator=generator, dtype=torch.double)
        return points.to(dtype), outputs.softmax(1).to(dtype)

    shares = torch.rand(T, generator=generator, dtype=torch.double)
    return dict(candidates=draw(n), labeled=draw(labeled), target=draw(T), shares=shares / shares.sum())


def made(rank, candidates, labeled, target, shares):
    posterior = ColumnPosterior(labeled[0], softmax_factors(labeled[1], rank), target[0],
                                softmax_factors(target[1], rank), shares, L2)
    return posterior, ColumnCandidates(candidates[0], softmax_factors(candidates[1], rank), posterior)


def greedy(given, rank, k, allowed=None):
    n = len(given['candidates'][0])
    allowed = torch.ones(n, dtype=torch.bool) if allowed is None else allowed
    return fisher_greedy.fisher_greedy(*made(rank, **given), k, allowed)


def curvature(x, p, rank):
    """The curvature of one point over all C x P parameters, by its definition."""
    if rank >= C:
        outputs = torch.diag(p) - torch.outer(p, p)
    else:
        outputs = torch.zeros(C, C, dtype=torch.double)
        for a in p.argsort(descending=True)[:rank].tolist():
            direction = torch.eye(C, dtype=torch.double)[a] - p
            outputs += p[a] * torch.outer(direction, direction)
    return torch.kron(outputs, torch.outer(x, x))


def brute_gains(rank, candidates, labeled, target, shares, taken=()):
    def of(points, i):
        return curvature(points[0][i].double(), points[1][i].double(), rank)

    precision = L2 * torch.eye(C * P, dtype=torch.double)
    precision = precision + sum(of(labeled, i) for i in range(len(labeled[0]))) + sum(of(candidates, i) for i in taken)
    f = sum(share * of(target, t) for t, share in enumerate(shares))
    gains = []
    for i in range(len(candidates[0])):
        after = torch.linalg.inv(precision + of(candidates, i))
        gains.append(torch.trace(f @ (torch.linalg.inv(precision) - after)) / 2)
    return torch.stack(gains)


@pytest.mark.parametrize('rank', [1, 2, C, 99])
def test_factors_multiply_to_the_curvature(rank):
    p = torch.tensor([0.1, 0.5, 0.15, 0.25], dtype=torch.double)
    b = softmax_factors(p[None], rank)[0]
    assert b.shape == (C, min(rank, C))
    assert torch.allclose(b @ b.T, curvature(torch.ones(1, dtype=torch.double), p, rank), atol=1e-12)


@pytest.mark.parametrize('rank', [1, 2, C])
@pytest.mark.parametrize('labeled', [L, 0])
def test_gains_are_those_of_the_definition(rank, labeled):
    given = problem(labeled)
    assert torch.allclose(made(rank, **given)[1].gains(), brute_gains(rank, **given), rtol=1e-9)


@pytest.mark.parametrize('rank', [1, 2, C])
@pytest.mark.parametrize('labeled', [L, 0])
def test_the_greedy_choice_is_that_of_matrices_inverted_anew(rank, labeled):
    given = problem(labeled)
    chosen, gains = greedy(given, rank, 6)
    taken = []
    for place, row in enumerate(chosen):
        expected = brute_gains(rank, **given, taken=taken)
        left = [i for i in range(N) if i not in taken]
        assert row == max(left, key=lambda i: float(expected[i])), place
        assert float(gains[row]) == pytest.approx(float(expected[row]), rel=1e-8)
        taken.append(row)
    after = brute_gains(rank, **given, taken=taken)
    for i in set(range(N)) - set(taken):
        assert float(gains[i]) == pytest.approx(float(after[i]), rel=1e-8)


def test_two_classes_are_the_binary_form():
    """With C = 2 the curvature p q of the difference of outputs, whose prior is twice as weak."""
    from mmal.samplers.algorithms.fisher import Candidates, Posterior
    given = problem()
    shares = given.pop('shares')
    two = {name: (points, torch.stack([p[:, 0], 1 - p[:, 0]], 1)) for name, (points, p) in given.items()}
    w = {name: (p[:, 0] * p[:, 1])[:, None] for name, (_, p) in two.items()}
    posterior = Posterior(two['labeled'][0], w['labeled'], two['target'][0], w['target'] * shares[:, None], L2 / 2)
    binary = Candidates(two['candidates'][0], w['candidates'], posterior)
    assert torch.allclose(made(2, **two, shares=shares)[1].gains(), binary.gains(), rtol=1e-9)


def test_rows_that_are_not_allowed_stay_and_the_order_of_rows_changes_nothing():
    given = problem()
    allowed = torch.ones(N, dtype=torch.bool)
    allowed[greedy(given, 2, 1)[0][0]] = False
    chosen, _ = greedy(given, 2, 99, allowed)
    assert len(chosen) == N - 1
    flipped = dict(given, candidates=tuple(part.flip(0) for part in given['candidates']))
    assert [N - 1 - i for i in greedy(flipped, 2, 99, allowed.flip(0))[0]] == chosen


def test_copies_of_what_was_taken_are_worth_less_and_stay_equal():
    given = problem()
    given['candidates'] = tuple(part[:1].expand(N, -1).contiguous() for part in given['candidates'])
    before = made(2, **given)[1].gains()
    chosen, gains = greedy(given, 2, 3)
    others = [i for i in range(N) if i not in chosen]
    assert len(others) == N - 3
    assert float(gains[others].max()) < float(before.min()) / 2
    assert float(gains[others].max()) == pytest.approx(float(gains[others].min()), rel=1e-9)


def test_parts_and_choices_ahead_change_nothing(monkeypatch):
    given = problem(n=60)
    expected = greedy(given, 2, 40)
    monkeypatch.setattr(fisher_columns, 'BLOCK', 7)
    monkeypatch.setattr(fisher_columns, 'GRAM_NUMBERS', 100)
    monkeypatch.setattr(fisher_greedy, 'ACTIVE', 5)
    monkeypatch.setattr(fisher_greedy, 'AHEAD', 3)
    chosen, gains = greedy(given, 2, 40)
    assert chosen == expected[0]
    assert torch.allclose(gains, expected[1], rtol=1e-9)


def test_many_updates_of_float32_points_do_not_drift():
    given = problem(n=300, dtype=torch.float32)
    chosen, gains = greedy(given, 2, 200)
    after = brute_gains(2, **given, taken=chosen)
    others = [i for i in range(300) if i not in chosen]
    assert torch.allclose(gains[others], after[others], rtol=1e-5)
