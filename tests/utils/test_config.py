"""Questions about configs."""

import pytest

from mmal.utils.config import flat, moved_paths, warmup_iters

STEPS = dict(type='MultiStepLR', begin=0, end=12, by_epoch=True, milestones=[8])


@pytest.mark.parametrize(('schedulers', 'iterations'), [
    (None, 0), (STEPS, 0), ([], 0),
    ([dict(type='ConstantLR', factor=1 / 3, by_epoch=False, begin=0, end=500), STEPS], 500),  # FCOS
    (dict(type='mmengine.LinearLR', start_factor=0.001, by_epoch=False, end=1000), 1000),
    ([dict(type='LinearLR', start_factor=0.1, by_epoch=True, end=5, convert_to_iter_based=True)], 0),  # of epochs
    ([dict(type='LinearLR', start_factor=1, end_factor=0, by_epoch=False, end=900)], 0),  # falls
    ([dict(type='ConstantLR', factor=1.0, by_epoch=False, end=900)], 0),
    ([dict(type='LinearLR', by_epoch=False, begin=100, end=900), dict(type='LinearLR', by_epoch=False)], 0)])
def test_iterations_of_the_warm_up(schedulers, iterations):
    assert warmup_iters(schedulers) == iterations


def test_a_nested_config_becomes_dotted_keys():
    config = dict(a=dict(b=1, c=None, d={}), e=[1, 2], f=[dict(g='x'), [3]], h=('y', ))
    assert flat(config) == {'a.b': '1', 'a.d': '{}', 'e': '(1, 2)', 'f.0.g': "'x'", 'f.1': '(3,)', 'h': "('y',)"}
    assert flat(5, 'seed') == {'seed': '5'}
    assert flat(None, 'seed') == {}


@pytest.mark.parametrize(('text', 'expected'), [
    ("a = '/old/x'", "a = '/new\\\\1/x'"), ('a = "/old"', 'a = "/new\\\\1"'), ("a = '/older/x'", "a = '/older/x'"),
    ("a = 'in /old/x'", "a = 'in /old/x'")])
def test_paths_in_a_folder_that_was_moved_follow_it(text, expected):
    assert moved_paths(text, '/old', '/new\\1') == expected
