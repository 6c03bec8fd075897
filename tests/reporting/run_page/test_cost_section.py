import shutil
from types import SimpleNamespace

import pytest

from mmal.pool.cost_model import CostModel, write_costs
from mmal.reporting.run_page.cost_section import cost_section
from mmal.run.layout import RunPaths


@pytest.fixture
def run(tmp_path):
    return SimpleNamespace(paths=RunPaths(tmp_path), data=SimpleNamespace(has_boxes=True))


def test_predicted_stands_beside_true(run):
    model = CostModel((1.0, 2.0), 3.0, (10.0, 1.0))
    write_costs(run.paths.work_dir / 'initial' / 'costs.csv', CostModel(), {}, {1: 4}, {})
    write_costs(run.paths.work_dir / 'round_00' / 'costs.csv', model, {7: 2, 8: 4}, {7: 6, 8: 9}, {7: 20})
    table, = cost_section(run).tables
    assert table.columns == ['batch', 'images', 'boxes predicted', 'boxes in truth', 'boxes apart an image',
                             'seconds predicted', 'seconds in truth', 'seconds apart an image']
    shutil.copytree(run.paths.work_dir / 'round_00', run.paths.work_dir / 'round_00_bak')
    assert cost_section(run).tables[0] == table, 'a copied folder is no batch'
    assert table.rows == [['initial', '1', '1.0', '4.0', '3.00', '–', '–', '–'],
                          ['round_00', '2', '14.0', '15.0', '0.50', '15.0', '20.0', '5.00']]


def test_nothing_is_said_where_nothing_is_predicted(run):
    assert cost_section(run) is None
    run.data.has_boxes = False
    write_costs(run.paths.work_dir / 'round_00' / 'costs.csv', CostModel(), {}, {1: 1}, {})
    assert cost_section(run) is None
