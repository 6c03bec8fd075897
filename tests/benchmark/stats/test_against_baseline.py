import pytest

from mmal.benchmark.results import read_comparison
from mmal.benchmark.stats.against_baseline import areas, at_target, mean_curve, targets
from mmal.benchmark.stats.tables import round_means
from mmal.pool.budget import BudgetUnit


def read(made):
    comparison = read_comparison(made.root)
    return comparison, round_means(comparison)


def test_areas_over_the_range_of_all(folder):
    made = folder(seeds=[0, 1])
    made.curve('ISAL', 0, [0.2, 0.4, 0.4])  # 5, 10, 15 images
    found = areas(read(made)[0], BudgetUnit.IMAGE)
    assert (found.low, found.high) == (5, 15)
    assert found.by_method['ISAL'][0] == pytest.approx((0.3 + 0.4) / 2)
    assert found.by_method['random'][0] == pytest.approx(0.2)
    assert found.differences['ISAL'].values == {0: pytest.approx(0.15), 1: pytest.approx(0.02)}
    assert 'random' not in found.differences


def test_a_seed_that_found_nothing_at_first_takes_no_area_away(folder):
    made = folder(seeds=[0, 1])
    made.curve('ISAL', 0, [None, None, 0.4])  # 5, 10, 15 images
    comparison, means = read(made)
    found = areas(comparison, BudgetUnit.IMAGE)
    assert (found.low, found.high) == (5, 15)
    assert found.by_method['ISAL'][0] == pytest.approx(0.1)
    assert means.set_index(['method', 'round']).loc[('ISAL', 0), 'metric'] == pytest.approx((0 + 0.11) / 2)


def test_areas_pair_only_seeds_that_both_finished(folder):
    made = folder()
    made.fail('random', 0)
    made.fail('ISAL', 1)
    assert list(areas(read(made)[0], BudgetUnit.IMAGE).differences['ISAL'].values) == [2]


def test_no_common_range(folder):
    made = folder(seeds=[0])
    made.curve('ISAL', 0, [0.1, 0.2], images=[100, 200])
    assert areas(read(made)[0], BudgetUnit.IMAGE).low is None


def test_without_a_baseline_there_is_no_difference(folder):
    found = areas(read(folder(baseline=None))[0], BudgetUnit.IMAGE)
    assert found.differences == {}
    assert set(found.by_method) == {'random', 'ISAL'}


def test_the_mean_curve_has_no_round_that_some_seeds_lack(folder):
    made = folder(metric='accuracy/top1')
    made.curve('ISAL', 0, [0.5, None, 0.6])
    comparison, means = read(made)
    assert mean_curve(means, 'ISAL', BudgetUnit.IMAGE)[0] == [5, 15]


def test_default_target_is_the_final_metric_of_the_baseline(folder):
    comparison, means = read(folder())
    target, of_seed = targets(comparison, means)
    assert target == pytest.approx(0.41)
    assert of_seed == {0: pytest.approx(0.40), 1: pytest.approx(0.41), 2: pytest.approx(0.42)}
    assert targets(*read(folder(baseline=None))) == (None, {})
    assert targets(*read(folder(target=0.3))) == (0.3, {0: 0.3, 1: 0.3, 2: 0.3})


def test_saved_at_the_target(folder):
    found = at_target(*read(folder()), BudgetUnit.IMAGE)
    # ISAL: 0.11, 0.23, 0.35, 0.47 at 5, 10, 15, 20 images; 0.41 lies half-way in the last stretch
    assert found['ISAL'].cost == pytest.approx(17.5)
    assert found['ISAL'].saved == pytest.approx(12.5)
    assert found['random'].cost == pytest.approx(20)
    assert found['ISAL'].paired.values == {s: pytest.approx(12.5) for s in (0, 1, 2)}
    assert found['random'].paired is None
    # twice the boxes an image
    assert at_target(*read(folder()), BudgetUnit.BOX)['ISAL'].saved == pytest.approx(-75)


@pytest.mark.parametrize('target', [None, 0.4])
def test_saved_is_over_the_seeds_that_both_have(folder, target):
    """The baseline's best and the method's worst seed are lost; what is left is as if they had never been there."""
    made = folder(seeds=[0, 1, 2, 3], target=target)
    made.curve('random', 3, [0.5, 0.6, 0.7, 0.9])
    made.curve('ISAL', 0, [0.1, 0.1, 0.1, 0.1])
    made.fail('random', 0)
    made.fail('ISAL', 3)
    found = at_target(*read(made), BudgetUnit.IMAGE)['ISAL']
    assert found.seeds == (1, 2)
    assert found.saved == at_target(*read(folder(seeds=[1, 2], target=target)), BudgetUnit.IMAGE)['ISAL'].saved > 0
    made = folder(seeds=[0, 1], target=target)
    made.fail('random', 0)
    made.fail('ISAL', 1)
    found = at_target(*read(made), BudgetUnit.IMAGE)['ISAL']
    assert (found.saved, found.seeds) == (None, ())


def test_nobody_reaches_the_target(folder):
    found = at_target(*read(folder(target=0.9)), BudgetUnit.IMAGE)
    assert all((at.cost, at.saved, at.reached) == (None, None, 0) for at in found.values())
    assert found['ISAL'].paired.not_reached == found['ISAL'].paired.baseline_not_reached == (0, 1, 2)


def test_a_seed_that_does_not_reach_it_is_counted(folder):
    made = folder(target=0.4)
    made.curve('ISAL', 1, [0.1, 0.2, 0.3, 0.39])
    found = at_target(*read(made), BudgetUnit.IMAGE)['ISAL']
    assert (found.reached, found.runs, found.paired.not_reached) == (2, 3, (1, ))


def test_a_target_without_a_baseline(folder):
    found = at_target(*read(folder(baseline=None, target=0.3)), BudgetUnit.IMAGE)
    assert found['ISAL'].cost == pytest.approx(10 + 5 * 0.07 / 0.12)
    assert found['ISAL'].saved is None
    assert found['ISAL'].paired is None


def test_a_baseline_that_failed_is_no_baseline(folder):
    made = folder(seeds=[0])
    made.fail('random', 0)
    assert targets(*read(made)) == (None, {})
    assert at_target(*read(made), BudgetUnit.IMAGE) == {}
    assert areas(read(made)[0], BudgetUnit.IMAGE).differences == {}
