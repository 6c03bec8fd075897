import numpy as np
import pytest

from mmal.samplers.filter_check import check_filter

GUESSED = np.arange(40.0)


def true_with(passing, others, spread=1.0):
    """True influences of 40 images, of which the first ten pass, with the means given."""
    noise = spread * np.tile([-1.0, 1.0], 20)
    return np.where(GUESSED < 10, passing, others) + noise


@pytest.mark.parametrize(('passing', 'others', 'is_right'), [
    (-3.0, -1.0, True), (-1.0, -1.0, True), (-0.8, -1.0, True), (0.0, -1.0, False), (5.0, -1.0, False)])
def test_it_is_distrusted_where_what_passes_is_clearly_worth_less(passing, others, is_right):
    """One standard error of the difference is 0.375 here."""
    assert check_filter(GUESSED, true_with(passing, others)).is_right is is_right


def test_the_order_of_the_images_and_single_ones_that_are_not_finite_change_nothing():
    true = true_with(0.0, -1.0)
    order = np.random.default_rng(0).permutation(40)
    shuffled = check_filter(GUESSED[order], true[order])
    assert not shuffled.is_right
    with_nan = check_filter(np.append(GUESSED, [np.nan, -9.0]), np.append(true, [-99.0, np.inf]))
    assert with_nan.text == check_filter(GUESSED, true).text
    for part in ('10 reference images', 'is let go in this round'):
        assert part in with_nan.text


def test_a_few_images_tell_nothing():
    verdict = check_filter(GUESSED[:19], true_with(9.0, -1.0)[:19])
    assert verdict.is_right
    assert 'too few' in verdict.text
