import numpy as np
import pytest
from scipy import stats

from mmal.benchmark.results import read_comparison
from mmal.benchmark.stats.differences import difference_curve
from mmal.pool.budget import BudgetUnit


def difference(made, method='ISAL', unit=BudgetUnit.IMAGE):
    return difference_curve(read_comparison(made.root), method, unit)


def test_at_equal_images_it_is_the_mean_of_the_paired_differences(folder):
    made = folder(rounds=3)
    values = {'random': [[0.1, 0.2, 0.3], [0.2, 0.3, 0.4], [0.0, 0.4, 0.5]],
              'ISAL': [[0.1, 0.3, 0.3], [0.2, 0.5, 0.3], [0.0, 0.7, 0.9]]}
    for method, curves in values.items():
        for seed, curve in enumerate(curves):
            made.curve(method, seed, curve)
    found = difference(made)
    assert [point.cost for point in found] == [5, 10, 15]
    paired = np.subtract(values['ISAL'], values['random'])
    assert [point.mean for point in found] == pytest.approx(paired.mean(0))
    oracle = stats.ttest_rel(np.array(values['ISAL'])[:, 1], np.array(values['random'])[:, 1]).confidence_interval(0.95)
    assert (found[1].low, found[1].high) == pytest.approx(tuple(oracle))
    assert found[0].low == found[0].high == 0, 'the shared round 0'
    assert {point.seeds for point in found} == {3}


def test_between_two_rounds_both_lie_on_straight_lines(folder):
    made = folder(seeds=[0, 1], rounds=2)
    for seed in (0, 1):
        made.curve('random', seed, [0.0, 1.0], boxes=[10, 110])
        made.curve('ISAL', seed, [0.5, 0.7, 0.9], boxes=[20, 40, 60])
    found = difference(made, unit=BudgetUnit.BOX)
    assert [point.cost for point in found] == [20, 40, 60]
    assert [point.mean for point in found] == pytest.approx([0.5 - 0.1, 0.7 - 0.3, 0.9 - 0.5])


def test_every_point_has_all_seeds_so_it_spans_what_all_runs_span(folder):
    made = folder(seeds=[0, 1], rounds=2)
    made.curve('random', 0, [0.0, 1.0], boxes=[0, 100])
    made.curve('random', 1, [0.0, 1.0], boxes=[10, 80])
    made.curve('ISAL', 0, [0.0, 0.5, 1.0], boxes=[0, 50, 200])
    made.curve('ISAL', 1, [0.0, 0.5, 1.0], boxes=[10, 60, 300])
    found = difference(made, unit=BudgetUnit.BOX)
    assert [point.cost for point in found] == [10, 55, 80]
    assert {point.seeds for point in found} == {2}


def test_a_round_without_the_metric_moves_no_other_round(folder):
    made = folder(seeds=[0, 1], rounds=3, metric='accuracy/top1')
    for seed in (0, 1):
        made.curve('random', seed, [0.0, 1.0, 2.0])
    made.curve('ISAL', 0, [0.5, None, 2.5])
    made.curve('ISAL', 1, [0.5, 1.5, 2.5])
    found = difference(made)
    assert [point.mean for point in found] == pytest.approx([0.5] * len(found))
    assert (found[0].cost, found[-1].cost) == (5, 15)


def test_one_seed_has_no_interval(folder):
    found = difference(folder(seeds=[0]))
    assert [(point.low, point.high, point.seeds) for point in found] == [(None, None, 1)] * 4


def test_seeds_that_only_one_of_both_has_are_in_no_point(folder):
    made = folder()
    made.fail('random', 0)
    made.fail('ISAL', 1)
    assert {point.seeds for point in difference(made)} == {1}


def test_without_a_common_seed_or_a_common_span_there_is_no_curve(folder):
    made = folder(seeds=[0, 1])
    made.fail('random', 0)
    made.fail('ISAL', 1)
    assert difference(made) == []
    made = folder(seeds=[0])
    made.curve('ISAL', 0, [0.1])
    assert difference(made) == []


def test_without_a_baseline_there_is_no_curve(folder):
    assert difference(folder(baseline=None)) == []
