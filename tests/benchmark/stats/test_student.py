import numpy as np
import pytest
from scipy.stats import ttest_1samp

from mmal.benchmark.stats.student import half_width, holm, p_value, t_interval


@pytest.mark.parametrize(('n', 't'), [(2, 12.706), (3, 4.303), (5, 2.776)])
def test_half_width_by_the_table_of_t(n, t):
    assert half_width(0.5, n) == pytest.approx(t * 0.5 / n**0.5, rel=2e-4)


@pytest.mark.parametrize('seeds', [3, 5, 10])
def test_the_interval_covers_the_true_mean_as_often_as_it_says(seeds):
    draws = np.random.default_rng(7).normal(2, 3, (4000, seeds))
    covered = 0
    for values in draws:
        low, high = t_interval(values)
        covered += low <= 2 <= high
    assert 0.94 < covered / len(draws) < 0.96


def test_interval_needs_two_seeds():
    assert t_interval([]) is None
    assert t_interval([3.0]) is None
    assert t_interval([3.0, 5.0]) == pytest.approx((4 - 12.706, 4 + 12.706), rel=1e-4)
    assert t_interval([2.0] * 4) == (2, 2)


def test_interval_and_p_agree_with_scipy():
    values = [0.3, -0.1, 0.45, 0.2, 0.12]
    expected = ttest_1samp(values, 0)
    assert p_value(values) == pytest.approx(expected.pvalue)
    assert t_interval(values) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_p_of_equal_differences():
    assert p_value([0.1]) is None
    assert p_value([0.5, 0.5, 0.5]) == 0
    assert p_value([0.0, 0.0, 0.0]) == 1


def test_holm_by_the_textbook_example():
    # https://en.wikipedia.org/wiki/Holm-Bonferroni_method: 0.01, 0.04, 0.03, 0.005
    found = holm(dict(a=0.01, b=0.04, c=0.03, d=0.005))
    assert found == {'a': pytest.approx(0.03), 'b': pytest.approx(0.06), 'c': pytest.approx(0.06),
                     'd': pytest.approx(0.02)}
    assert list(found) == ['a', 'b', 'c', 'd']


def test_holm_never_exceeds_one_and_never_falls_below_the_uncorrected():
    assert holm(dict(a=0.6, b=0.7)) == dict(a=1, b=1)
    assert holm(dict(a=0.02)) == dict(a=0.02)
    assert holm({}) == {}
