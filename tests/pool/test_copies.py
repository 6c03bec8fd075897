"""Copies among images of known and unknown content, against comparing all pairs."""

from hypothesis import given
from hypothesis import strategies as st

from mmal.pool.copies import KnownContents


class Contents:
    """Contents as texts; '' cannot be read, and is of no size if it is not there at all."""

    def __init__(self, texts):
        self.texts, self.hashed = texts, []

    def size(self, image_id):
        return None if self.texts[image_id] is None else len(self.texts[image_id])

    def digest(self, image_id):
        self.hashed.append(image_id)
        return self.texts[image_id] or None


def first_equal(texts, known, image_id):
    for other in known:
        if texts[image_id] and texts[other] == texts[image_id]:
            return other
    return None


@given(st.lists(st.none() | st.text('ab', max_size=2), min_size=1, max_size=20), st.integers(0, 10))
def test_a_copy_is_what_is_equal_to_an_image_before_it(texts, n_labeled):
    known, labeled = [], list(range(len(texts)))[:n_labeled]
    contents = KnownContents(Contents(texts), labeled)
    known += labeled
    for image_id in range(len(labeled), len(texts)):
        expected = first_equal(texts, known, image_id)
        assert contents.admit(image_id) == expected
        if expected is None:
            known.append(image_id)


def test_only_files_of_one_size_are_read():
    contents = Contents(['a', 'bb', 'ccc', 'dd', 'eeee'])
    known = KnownContents(contents, [0, 1])
    assert [known.admit(i) for i in (2, 3, 4)] == [None, None, None]
    assert sorted(set(contents.hashed)) == [1, 3]


def test_what_cannot_be_read_is_no_copy():
    known = KnownContents(Contents([None, None, '', '']), [0, 2])
    assert [known.admit(i) for i in (1, 3)] == [None, None]
