"""The examples of the pages, and of those docstrings that are complete programs."""

import doctest
import importlib

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


@pytest.mark.parametrize('name', [
    'affine', 'api', 'checks', 'curvature', 'directional_derivative', 'distributed_curvature', 'last_layer_curvature',
    'last_layers', 'method_selection', 'output_hessian', 'parameters', 'solvers.base', 'solvers.cg', 'solvers.dense',
    'solvers.identity', 'solvers.lissa', 'solvers.power_iteration'])
def test_the_examples_of_influence(name):
    failed, tried = doctest.testmod(importlib.import_module(f'mmal.influence.{name}'))
    assert tried
    assert not failed
