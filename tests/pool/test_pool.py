import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmal.pool import pool
from mmal.pool.order import in_order, sort_key
from mmal.pool.pool import Pool

TEXT = st.text(min_size=1, max_size=5).filter(lambda t: not t.lstrip('-').isdigit())
IDS = st.lists(st.integers(-10**9, 10**12) | TEXT, unique=True, max_size=30)


@given(IDS, st.data())
def test_pool_parts_are_disjoint_and_whole(ids, data):
    mine = Pool(ids)
    labeled = data.draw(st.lists(st.sampled_from(ids), unique=True) if ids else st.just([]))
    mine.label(labeled)
    assert set(mine.labeled).isdisjoint(mine.unlabeled)
    assert set(mine.labeled) | set(mine.unlabeled) == set(ids)
    assert all(mine.from_text(str(i)) == i for i in ids)
    assert mine.digest() == Pool(ids[::-1]).digest()


def test_the_digest_is_of_one_text_however_it_is_cut(monkeypatch):
    ids = [3, 1, 2, 5]
    expected = hashlib.sha256(b'1\n2\n3\n5\nmore').hexdigest()
    assert Pool(ids).digest('more') == expected
    monkeypatch.setattr(pool, 'CHUNK', 3)
    assert Pool(ids).digest('more') == expected


def test_pool_refuses_what_cannot_be():
    with pytest.raises(ValueError, match='not unique'):
        Pool([1, 2, 1])
    with pytest.raises(ValueError, match='not unique'):
        Pool([1, '1'])
    with pytest.raises(ValueError, match='7 is not an id of the pool'):
        Pool([1, 2]).label([7])
    with pytest.raises(ValueError, match='labeled already'):
        Pool([1, 2], [1]).label([1])


@pytest.mark.parametrize('ids', [[3, 1, 20], [3, -1, -20], ['b', 'a', '10'], [2, 'x', 10], [True, 7, 3]])
def test_the_fast_order_is_the_order_of_the_keys(ids):
    assert in_order(ids) == sorted(ids, key=sort_key)
    mine = Pool(ids, labeled=ids[:1])
    assert [mine.from_text(str(i)) for i in mine.ids] == mine.ids
    with pytest.raises(ValueError, match='not an id'):
        mine.label([99])
    with pytest.raises((KeyError, ValueError)):
        mine.from_text('99')
