import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmal.pool.budget import BudgetUnit, holdout_size, images_within_budget, spend


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 60))
def test_spend_overshoots_by_at_most_one_image(costs, budget):
    taken = spend(range(len(costs)), budget, costs.__getitem__)
    total = sum(costs[:len(taken)])
    assert taken == list(range(len(taken)))
    assert total - (costs[taken[-1]] if taken else 0) < budget
    assert total >= budget or len(taken) == len(costs)


def test_spend_asks_the_cost_only_of_what_it_takes():
    asked = []
    assert spend('abcdef', 2, lambda i: asked.append(i) or 1) == ['a', 'b']
    assert asked == ['a', 'b']


def test_images_that_a_budget_in_boxes_pays_for():
    assert images_within_budget(100, 10, 40) == 25
    assert images_within_budget(101, 10, 40) == 26
    assert images_within_budget(100, 10, 2) == 100, 'an image costs a box at least'
    assert images_within_budget(3, 10, 90) == 1
    assert images_within_budget(5, 0, 0) == 5


@pytest.mark.parametrize(('initial', 'share', 'size'), [(50, 0.2, 10), (2, 0.2, 1), (50, 0, 0), (3, 0.5, 2)])
def test_a_share_holds_out_one_image_at_least(initial, share, size):
    assert holdout_size(initial, share) == size


def test_units_are_their_text():
    assert [f'{unit}' for unit in BudgetUnit] == list(BudgetUnit) == ['image', 'box', 'second']
    assert [unit.plural for unit in BudgetUnit] == ['images', 'boxes', 'seconds']
