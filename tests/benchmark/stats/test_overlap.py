import math

import pytest

from mmal.benchmark.stats.overlap import jaccard, overlap_table
from mmal.benchmark.stats.selection import QuerySelection


def queries(*rounds):
    return [QuerySelection(r, ids, [], None, 0) for r, ids in enumerate(rounds) if ids is not None]


def test_jaccard():
    assert jaccard({1, 2}, {2, 3}) == pytest.approx(1 / 3)
    assert jaccard({1}, {1}) == 1
    assert math.isnan(jaccard(set(), set()))


def test_same_seed_averaged_over_seeds():
    table = overlap_table({'a': {0: queries([1, 2], [5]), 1: queries([1, 2])},
                           'b': {0: queries([1, 2], [6]), 1: queries([3, 4]), 2: queries([1, 2])}})
    assert table[['round', 'n', 'query']].to_numpy().tolist() == [[0, 2, 0.5], [1, 1, 0]]
    assert table['so_far'].tolist() == [0.5, pytest.approx(2 / 4)]


def test_the_same_image_in_other_rounds_counts_so_far():
    table = overlap_table({'a': {0: queries([1], [2])}, 'b': {0: queries([2], [1])}})
    assert table['query'].tolist() == [0, 0]
    assert table['so_far'].tolist() == [0, 1]


def test_it_stops_where_a_round_is_unknown():
    table = overlap_table({'a': {0: queries([1], None, [2])}, 'b': {0: queries([1], [3], [2])}})
    assert table['round'].tolist() == [0]


def test_every_pair_once_and_none_without_common_seeds():
    one = {0: queries([1])}
    table = overlap_table({'a': one, 'b': one, 'c': one, 'd': {1: queries([1])}})
    assert table[['first', 'second']].to_numpy().tolist() == [['a', 'b'], ['a', 'c'], ['b', 'c']]
