"""What a query takes for its budget, in images, boxes and seconds; and when a run ends before its rounds."""

from types import SimpleNamespace

import pytest

from mmal.engine.costs import expected_query_images, spent_so_far
from mmal.engine.phase_runner import PhaseRunner
from mmal.engine.phases.base import Phase
from mmal.engine.phases.select import Select
from mmal.engine.stopping import StopRun, build_stop_rules
from mmal.errors import InputError
from mmal.fileio.atomic import write_bytes
from mmal.fileio.text import read_csv, read_json
from mmal.pool.budget import BudgetUnit
from mmal.pool.cost_model import CostModel, write_costs
from mmal.pool.score_table import ranked_bytes
from mmal.run.round_state import RoundState
from mmal.samplers.base import Scores
from tests.engine.fakes import FakeData, make_round, make_run

PSEUDO = {1: 4, 2: 1, 3: 0, 4: 2, 5: 9}


class Data(FakeData):
    """Truth has one box more than the model sees."""

    images = tuple(dict(id=i, file_name=f'{i}.png') for i in PSEUDO)

    def ground_truth(self, ids):
        return [dict(image_id=i) for i in ids for _ in range(PSEUDO[i] + 1)]


@pytest.fixture
def world(tmp_path):
    """Makes a run that has scored five images, best first, with PSEUDO boxes; and its round 2."""
    def go(people=False, **settings):
        run = make_run(tmp_path, data=Data(), oracle=SimpleNamespace(is_human=people),
                       sampler=SimpleNamespace(column='influence', needs_s_test=True), **settings)
        round_ = make_round(run, 2, labeled=())
        scores = Scores({i: float(i) - 10 for i in PSEUDO}, pseudo_boxes=PSEUDO)
        write_bytes(round_.state.artifact('score'), ranked_bytes('influence', scores.ranked(0, 'ties')))
        round_.state.record['score'] = dict(seconds=0)
        return run, round_

    return go


def chosen(run, round_):
    scores, selected = round_.state.artifact('score'), round_.state.artifact('select')
    Select().execute(run, round_, selected)
    marked = [int(row['id']) for row in read_csv(scores) if row['selected'] == '1']
    assert marked == read_json(selected)
    return marked


def costs(tmp_path, folder, *numbers):
    write_costs(tmp_path / folder / 'costs.csv', CostModel(), *numbers)


def test_images(world):
    assert chosen(*world()) == [1, 2, 3]


def test_boxes_that_a_simulated_oracle_reveals(world):
    assert chosen(*world(unit=BudgetUnit.BOX)) == [1], '5 boxes of 3'
    assert chosen(*world(unit=BudgetUnit.BOX, query=6)) == [1, 2]


def test_boxes_that_people_will_draw_are_predicted(world, tmp_path):
    settings = dict(people=True, unit=BudgetUnit.BOX)
    assert chosen(*world(**settings, query=5)) == [1, 2], 'pseudo-boxes, at least 1, while nothing is known'
    for n in range(2):  # then it is seen that there are three times as many
        costs(tmp_path, f'round_{n:02d}', {7: 1, 8: 4}, {7: 3, 8: 12}, {})
    assert chosen(*world(**settings, query=5)) == [1]
    assert chosen(*world(**settings, query=13)) == [1, 2]


def test_seconds(world, tmp_path):
    settings = dict(people=True, unit=BudgetUnit.SECOND)
    run, round_ = world(**settings, query=60)
    with pytest.raises(InputError, match='no labeling time is known'):
        Select().execute(run, round_, round_.state.artifact('select'))
    costs(tmp_path, 'initial', {}, {7: 1, 8: 5}, {7: 12, 8: 20})  # 10 + 2 a box
    assert chosen(run, round_) == [1, 2, 3, 4, 5], '18 + 12 + 12 + 14 are 56'
    run, round_ = world(**settings, query=55)
    assert chosen(run, round_) == [1, 2, 3, 4]
    assert expected_query_images(run, 2, None) == round(55 / 16), 'three boxes an image so far'


def test_what_is_spent(world, tmp_path):
    point = dict(round=2, images=30, boxes=90)
    assert spent_so_far(world()[0], point) == 30
    assert spent_so_far(world(unit=BudgetUnit.BOX)[0], point) == 90
    for name in ('initial', 'round_00', 'round_01', 'round_02'):
        costs(tmp_path, name, {}, {1: 1, 2: 1}, {1: 2.5})
    assert spent_so_far(world(unit=BudgetUnit.SECOND)[0], point) == 15, (
        'the labels of round 2 come after its model; an image without a time is predicted')


def test_influence_left_is_measured_by_the_first_round(world, tmp_path):
    run, round_ = world()
    round_.state.create_record()
    first = RoundState(tmp_path, 0)
    scores = Scores({1: -1000.0}, pseudo_boxes={1: 1})
    write_bytes(first.artifact('score'), ranked_bytes('influence', scores.ranked(0, 'ties')))

    class Scored(Phase):
        name = 'score'

        def execute(self, run, round_, artifact):
            raise AssertionError('it is done')

    PhaseRunner([Scored()], build_stop_rules(dict(influence=0.001))).run(run, round_)
    PhaseRunner([Scored()], build_stop_rules(None)).run(run, round_)
    with pytest.raises(StopRun, match='below 0.1 of the first'):
        PhaseRunner([Scored()], build_stop_rules(dict(influence=0.1))).run(run, round_)


def test_a_run_stops_at_its_target_and_goes_on_with_another(make_cfg, run, tmp_path):
    cfg = make_cfg(stop=dict(target=-1))
    work_dir = run(cfg)
    log = '\n'.join(p.read_text() for p in work_dir.glob('2*/*.log'))
    assert 'Stopped early: coco/bbox_mAP is' in log
    assert len(read_json(work_dir / 'curve.json')) == 1, 'the model that reached it is on the curve'
    assert not (work_dir / 'round_00' / 'selected.json').exists(), 'nothing more is bought'
    again = make_cfg(stop=dict(target=2, budget=9))
    again.resume = True
    run(again)
    assert [p['images'] for p in read_json(work_dir / 'curve.json')] == [6, 9]
    assert not (work_dir / 'round_01' / 'selected.json').exists()


@pytest.mark.parametrize(('changes', 'message'), [
    (dict(unit='second'), 'needs an oracle that is people'),
    (dict(stop=dict(influence=0.5), sampler=dict(type='mmal.RandomSampler')), 'RandomSampler gives no influence')])
def test_what_cannot_work_is_said_at_the_start(make_cfg, run, changes, message):
    cfg = make_cfg(**changes)
    with pytest.raises(InputError, match=message):
        run(cfg)
