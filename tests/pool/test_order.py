import subprocess
import sys
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from mmal.pool.order import first_shuffled, shuffled, sort_key
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


def test_same_numbers_in_another_process():
    """Nothing may depend on Python's salted hash."""
    code = ("from mmal.pool.order import shuffled; from mmal.utils.seeding import uniform, derive_seed;"
            "print(shuffled([3, 1, 'b', 2], 5, 'x'), uniform('b', 1, 'y'), derive_seed(0, 'train/1'))")
    here = f"{shuffled([1, 2, 3, 'b'], 5, 'x')} {uniform('b', 1, 'y')} {derive_seed(0, 'train/1')}"
    for salt in ('1', '2'):
        assert subprocess.run([sys.executable, '-c', code], env={'PYTHONHASHSEED': salt, 'PATH': ''}, cwd='.',
                              capture_output=True, text=True, check=True).stdout.strip() == here
