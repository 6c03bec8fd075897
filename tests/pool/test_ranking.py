import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmal.pool.order import shuffled
from mmal.pool.ranking import ranked

IDS = st.integers(-10**9, 10**9) | st.integers(10**25, 10**26) | st.text('ab"', min_size=1, max_size=5)
SCORES = st.dictionaries(IDS, st.floats() | st.sampled_from([0.0, -0.0, 1.0]), max_size=30)


def order(*args, **kwargs):
    return ranked(*args, **kwargs).ids.tolist()


@given(SCORES, st.integers(0, 9))
def test_ascending_with_ties_shuffled_and_non_finite_last(scores, seed):
    expected = sorted(shuffled(scores, seed, 'ties'), key=lambda i: scores[i] if math.isfinite(scores[i]) else math.inf)
    assert order(scores, seed, 'ties') == expected


@given(SCORES, st.randoms())
def test_the_order_they_came_in_does_not_matter(scores, random):
    items = list(scores.items())
    random.shuffle(items)
    assert order(dict(items), 0, 'ties') == order(scores, 0, 'ties')


@given(SCORES, st.data())
def test_those_chosen_together_come_first_as_they_are(scores, data):
    first = data.draw(st.lists(st.sampled_from(list(scores)), unique=True) if scores else st.just([]))
    rest = [i for i in order(scores, 0, 'x') if i not in first]
    assert order(scores, 0, 'x', first) == first + rest


@given(SCORES)
def test_columns_belong_together(scores):
    boxes = {i: n for n, i in enumerate(scores) if n % 2}
    found = ranked(scores, 0, 'x', boxes=boxes)
    assert len(found.ids) == len(found.values) == len(found.boxes) == len(scores)
    for i, value, n in zip(*(column.tolist() for column in found), strict=True):
        assert value == scores[i] or value != value and scores[i] != scores[i]
        assert n == boxes.get(i, -1)


def test_ties_break_by_seed_not_by_id():
    scores = dict.fromkeys(range(40), 1.0)
    assert len({tuple(order(scores, seed, 'ties')) for seed in range(3)}) == 3


@pytest.mark.parametrize(('ids', 'kind'), [([1, 2], np.int64), ([2**63, 1], object), (['1', '2'], object),
                                           ([True, 2], object), ([(1, 2), (3, 4)], object)])
def test_ids_come_back_as_what_they_were(ids, kind):
    found = ranked({i: n for n, i in enumerate(ids)}, 0, 'x')
    assert found.ids.dtype == kind
    assert list(map(repr, found.ids.tolist())) == list(map(repr, ids))
