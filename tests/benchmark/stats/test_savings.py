import pytest

from mmal.benchmark.stats.savings import bootstrap_interval, paired_effect, paired_savings, percent_saved


def test_saved_in_per_cent_of_the_baseline():
    assert percent_saved(75, 100) == 25
    assert percent_saved(150, 100) == -50
    assert percent_saved(None, 100) is None
    assert percent_saved(100, None) is None
    assert percent_saved(10, 0) is None


def test_pairs_are_of_the_same_seed():
    found = paired_savings({0: 50, 1: 80, 7: 1}, {1: 100, 0: 200})
    assert found.values == {0: 75, 1: pytest.approx(20)}
    assert found.mean == pytest.approx(47.5)


def test_not_reached_is_named_and_never_averaged():
    found = paired_savings({0: 50, 1: None, 2: 60}, {0: 100, 1: 100, 2: None})
    assert found.values == {0: 50}
    assert found.not_reached == (1, )
    assert found.baseline_not_reached == (2, )
    assert found.low is None


def test_nobody_reaches():
    found = paired_savings({0: None}, {0: None})
    assert found.mean is None
    assert (found.not_reached, found.baseline_not_reached) == ((0, ), (0, ))


def test_interval_needs_two_seeds():
    assert bootstrap_interval([]) is None
    assert bootstrap_interval([3.0]) is None
    assert bootstrap_interval([3.0, 5.0]) == (3, 5)


def test_interval_holds_the_mean_and_repeats():
    values = [1.01, 2.33, 3.7, 4.19, 9.97, 5.501, 4.05, 0.123]
    low, high = bootstrap_interval(values)
    assert 1 < low < sum(values) / 8 < high < 9
    assert bootstrap_interval(values) == (low, high)
    assert bootstrap_interval([2.0] * 4) == (2, 2)


def test_effect_has_mean_and_ends():
    found = paired_effect({0: 1.0, 1: 3.0})
    assert (found.mean, found.low, found.high) == (2, 1, 3)
