"""The examples of the pages, and of those docstrings that are complete programs."""

import doctest

import pytest

from tests.docs.pages import PAGES, ROOT

WITH_EXAMPLES = [p for p in PAGES if '>>> ' in p.read_text()]


@pytest.mark.parametrize('page', WITH_EXAMPLES, ids=lambda p: p.name)
def test_the_examples_of_a_page(page):
    failed, tried = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert tried
    assert not failed


def test_the_mathematics_has_examples():
    assert ROOT / 'docs' / 'mathematics.md' in WITH_EXAMPLES


@pytest.mark.parametrize('name', ['mmal.influence.affine', 'mmal.influence.api'])
def test_the_examples_of_a_module(name):
    failed, tried = doctest.testmod(__import__(name, fromlist=['']))
    assert tried
    assert not failed
