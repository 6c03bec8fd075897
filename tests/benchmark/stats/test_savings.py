import pytest

from mmal.benchmark.stats.savings import paired_effect, paired_savings, percent_saved


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


def test_effect_has_mean_interval_and_p():
    found = paired_effect({0: 1.0, 1: 3.0})
    assert found.mean == 2
    assert (found.low, found.high) == pytest.approx((2 - 12.706, 2 + 12.706), rel=1e-4)
    assert found.p == pytest.approx(0.2952, abs=1e-4)


@pytest.mark.parametrize('censored', ['not_reached', 'baseline_not_reached'])
def test_seeds_chosen_by_their_outcome_have_a_mean_but_neither_interval_nor_p(censored):
    found = paired_effect({0: 1.0, 1: 3.0, 2: 2.5}, **{censored: (3, )})
    assert found.censored
    assert found.mean == pytest.approx(6.5 / 3)
    assert (found.low, found.high, found.p) == (None, None, None)
    assert not paired_effect({0: 1.0, 1: 3.0}).censored
