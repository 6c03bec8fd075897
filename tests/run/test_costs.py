"""The costs of a run are those of its initial batch and its first rounds."""

import pytest

from mmal.pool.cost_model import CostModel, write_costs
from mmal.run.costs import cost_model, cost_rows


def test_the_file_of_a_round_is_what_the_model_is_fitted_to(tmp_path):
    for n, (pseudo, boxes) in enumerate([({1: 2, 2: 4}, {1: 5, 2: 9}), ({3: 0, 4: 6}, {3: 1, 4: 13})]):
        write_costs(tmp_path / f'round_{n:02d}' / 'costs.csv', cost_model(tmp_path, n), pseudo, boxes, {1: 7.5})
    assert cost_model(tmp_path, 1).boxes(7) == 7, 'rounds after it are not looked at'
    assert cost_model(tmp_path, 2).boxes(7) == pytest.approx(15)
    text = (tmp_path / 'round_00' / 'costs.csv').read_text().splitlines()
    assert text == ['id,pseudo_boxes,boxes,seconds,predicted_boxes,predicted_seconds', '1,2,5,7.5,2.0,', '2,4,9,,4.0,']


def test_the_initial_batch_comes_first_and_copies_of_rounds_are_none(tmp_path):
    for name, image in (('round_00', 2), ('initial', 1), ('round_00_bak', 3)):
        write_costs(tmp_path / name / 'costs.csv', CostModel(), {}, {image: 4}, {})
    assert [[row['id'] for row in rows] for rows in cost_rows(tmp_path, 1)] == [['1'], ['2']]
