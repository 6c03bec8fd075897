import math

from mmal.benchmark.stats.pairwise import penalty_matrix, wins


def runs(offset, seeds=range(5), rounds=range(4)):
    return {s: {r: 0.1 * r + offset(s, r) for r in rounds} for s in seeds}


def test_the_winner_of_a_round_gets_one_over_the_rounds():
    # better in two of four rounds by about 0.1, worse in none; the differences vary a little between seeds
    later = range(1, 5)
    first = runs(lambda s, r: (r >= 3) * (0.1 + 0.001 * s), rounds=later)
    second = runs(lambda s, r: 0, rounds=later)
    assert wins(first, second) == (0.5, 4)
    assert wins(second, first) == (0, 4)


def test_noise_wins_nothing():
    first, second = runs(lambda s, r: 0.1 * (-1)**s), runs(lambda s, r: 0)
    assert wins(first, second) == (0, 4)
    assert wins(second, first) == (0, 4)


def test_the_pairs_matter():
    # seeds differ far more than methods: only a paired test sees it
    first, second = runs(lambda s, r: 10 * s + 0.01 + 0.0001 * s), runs(lambda s, r: 10 * s)
    assert wins(first, second) == (1, 4)


def test_equal_methods_tie():
    assert wins(runs(lambda s, r: 0), runs(lambda s, r: 0)) == (0, 3)


def test_a_shared_first_model_counts_in_no_denominator():
    first, second = runs(lambda s, r: (r > 0) * (0.1 + 0.001 * s)), runs(lambda s, r: 0)
    assert wins(first, second) == (1, 3)
    assert wins(second, first) == (0, 3)


def test_below_five_common_seeds_it_is_insufficient():
    four = runs(lambda s, r: 1 + 0.01 * s, seeds=range(1, 6))
    share, rounds = wins(four, runs(lambda s, r: 0))
    assert math.isnan(share)
    assert rounds == 0


def test_only_rounds_with_five_common_seeds_count():
    first, second = runs(lambda s, r: 1 + 0.01 * s), runs(lambda s, r: 0)
    del second[0][3]
    assert wins(first, second) == (1, 3)


def test_matrix():
    found = penalty_matrix({'a': runs(lambda s, r: 1 + 0.01 * s), 'b': runs(lambda s, r: 0),
                            'c': runs(lambda s, r: 0, seeds=range(2))})
    assert found == {'a': {'b': 1, 'c': None}, 'b': {'a': 0, 'c': None}, 'c': {'a': None, 'b': None}}
