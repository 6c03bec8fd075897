import hashlib
import subprocess
import sys
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmal.pool import pool
from mmal.pool.budget import spend
from mmal.pool.order import first_shuffled, in_order, shuffled, sort_key
from mmal.pool.pool import Pool
from mmal.utils.seeding import derive_seed, uniform

TEXT = st.text(min_size=1, max_size=5).filter(lambda t: not t.lstrip('-').isdigit())
IDS = st.lists(st.integers(-10**9, 10**12) | TEXT, unique=True, max_size=30)


@given(IDS, st.integers(0, 99), st.randoms())
def test_shuffled_is_a_permutation_that_ignores_file_order(ids, seed, random):
    mixed = list(ids)
    random.shuffle(mixed)
    assert shuffled(ids, seed, 'x') == shuffled(mixed, seed, 'x')
    assert sorted(shuffled(ids, seed, 'x'), key=sort_key) == sorted(ids, key=sort_key)


def test_shuffled_depends_on_seed_and_purpose():
    ids = range(50)
    assert len({tuple(shuffled(ids, s, p)) for s in (0, 1) for p in ('a', 'b')}) == 4


def test_ids_sort_by_value():
    assert sorted([10, 'b', 9, 2, 'a'], key=sort_key) == [2, 9, 10, 'a', 'b']


@given(IDS, st.integers(0, 99))
def test_shuffled_is_what_the_standard_library_makes_of_the_sorted_ids(ids, seed):
    expected = sorted(ids, key=sort_key)
    Random(f'{seed}/x').shuffle(expected)
    assert shuffled(ids, seed, 'x') == expected
    for n in (0, 1, 2, len(ids) // 2, len(ids), 99):
        assert first_shuffled(ids, seed, 'x', n) == expected[:n]


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 60))
def test_spend_overshoots_by_at_most_one_image(costs, budget):
    taken = spend(range(len(costs)), budget, costs.__getitem__)
    total = sum(costs[:len(taken)])
    assert taken == list(range(len(taken)))
    assert total - (costs[taken[-1]] if taken else 0) < budget
    assert total >= budget or len(taken) == len(costs)


def test_spend_asks_the_cost_only_of_what_it_takes():
    asked = []
    assert spend('abcdef', 2, lambda i: asked.append(i) or 1) == ['a', 'b']
    assert asked == ['a', 'b']


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


def test_same_numbers_in_another_process():
    """Nothing may depend on Python's salted hash."""
    code = ("from mmal.pool.order import shuffled; from mmal.utils.seeding import uniform, derive_seed;"
            "print(shuffled([3, 1, 'b', 2], 5, 'x'), uniform('b', 1, 'y'), derive_seed(0, 'train/1'))")
    here = f"{shuffled([1, 2, 3, 'b'], 5, 'x')} {uniform('b', 1, 'y')} {derive_seed(0, 'train/1')}"
    for salt in ('1', '2'):
        assert subprocess.run([sys.executable, '-c', code], env={'PYTHONHASHSEED': salt, 'PATH': ''}, cwd='.',
                              capture_output=True, text=True, check=True).stdout.strip() == here


def test_images_that_a_budget_in_boxes_pays_for():
    from mmal.pool.budget import images_within_budget
    assert images_within_budget(100, 10, 40) == 25
    assert images_within_budget(101, 10, 40) == 26
    assert images_within_budget(100, 10, 2) == 100, 'an image costs a box at least'
    assert images_within_budget(3, 10, 90) == 1
    assert images_within_budget(5, 0, 0) == 5


@pytest.mark.parametrize('ids', [[3, 1, 20], [3, -1, -20], ['b', 'a', '10'], [2, 'x', 10], [True, 7, 3]])
def test_the_fast_order_is_the_order_of_the_keys(ids):
    assert in_order(ids) == sorted(ids, key=sort_key)
    mine = Pool(ids, labeled=ids[:1])
    assert [mine.from_text(str(i)) for i in mine.ids] == mine.ids
    with pytest.raises(ValueError, match='not an id'):
        mine.label([99])
    with pytest.raises((KeyError, ValueError)):
        mine.from_text('99')
