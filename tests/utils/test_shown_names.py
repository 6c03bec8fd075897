"""The first of many names."""

import pytest

from mmal.utils.shown_names import shown_names


@pytest.mark.parametrize(('names', 'total', 'text'), [
    ('a', None, 'a'), ('abc', None, 'a, b, c'), ('abcde', None, 'a, b, c and 2 more'), ('abc', 9, 'a, b, c and 6 more'),
    ('abc', 3, 'a, b, c')])
def test_three_are_named_and_the_others_counted(names, total, text):
    assert shown_names(list(names), total) == text
