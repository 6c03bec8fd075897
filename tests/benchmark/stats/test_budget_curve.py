import numpy as np
import pytest

from mmal.benchmark.stats.budget_curve import area, budget_points, common_range, cost_at
from mmal.pool.budget import BudgetUnit


def point(images, value, boxes=0):
    return dict(images=images, boxes=boxes, metrics={} if value is None else {'m': value})


def test_a_round_without_the_metric_is_no_point():
    curve = [point(10, 0.1), point(20, None), point(30, 0.3), point(40, float('nan'))]
    costs, values = budget_points(curve, 'm')
    assert costs.tolist() == [10, 30]
    assert values.tolist() == [0.1, 0.3]
    assert cost_at(costs, values, 0.2) == pytest.approx(20)


def test_unit():
    assert budget_points([point(10, 0.1, boxes=7)], 'm', BudgetUnit.BOX)[0].tolist() == [7]


@pytest.mark.parametrize(('values', 'target', 'cost'), [
    ([1, 2, 4], 3, 25), ([1, 2, 4], 2, 20), ([1, 2, 4], 4, 30), ([1, 2, 4], 4.1, None), ([1, 2, 4], 0.5, 10),
    ([1, 3, 2], 2.5, 17.5), ([3, 1, 4], 3.5, 20 + 10 * 2.5 / 3), ([2, 2, 2], 2, 10), ([], 1, None)])
def test_cost_of_the_first_crossing(values, target, cost):
    assert cost_at([10, 20, 30][:len(values)], values, target) == (None if cost is None else pytest.approx(cost))


def test_a_query_without_cost():
    assert cost_at([10, 10, 20], [1, 3, 4], 2) == 10


def test_common_range():
    assert common_range([[1, 5], [2, 9]]) == (2, 5)
    assert common_range([[1, 2], [2, 3]]) is None
    assert common_range([[1, 2], []]) is None
    assert common_range([]) is None


def test_area_is_the_mean_metric_over_the_range():
    assert area([0, 10], [0, 1], 0, 10) == pytest.approx(0.5)
    assert area([0, 10], [0, 1], 5, 10) == pytest.approx(0.75)
    assert area([0, 10, 20], [0, 1, 1], 5, 15) == pytest.approx((5 * 0.75 + 5 * 1) / 10)


def test_area_with_rounds_at_one_cost():
    assert area([0, 10, 10, 20], [0, 0, 2, 2], 0, 20) == pytest.approx(1)
    assert area([0, 10, 10, 20], [0, 0, 2, 2], 0, 10) == pytest.approx(0)
    assert area([0, 10, 10, 20], [0, 0, 2, 2], 10, 20) == pytest.approx(2)
    assert area([0, 10, 10, 20], [0, 1, 2, 3], 10, 15) == pytest.approx(2.25)


def test_area_agrees_with_a_fine_sum():
    rng = np.random.default_rng(0)
    costs, values = np.array([0, *np.sort(rng.uniform(0, 100, 7)), 100]), rng.uniform(0, 1, 9)
    fine = np.linspace(20, 80, 600001)
    assert area(costs, values, 20, 80) == pytest.approx(np.interp(fine, costs, values).mean(), abs=1e-5)


def test_a_curve_must_span_the_range():
    with pytest.raises(ValueError, match='does not span 0 to 20'):
        area([0, 10], [0, 1], 0, 20)
