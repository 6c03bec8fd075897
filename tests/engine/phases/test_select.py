"""What a query takes for its budget, in images, boxes and seconds; and when a run ends before its rounds."""

from types import SimpleNamespace

import pytest
from mmal.engine.phases.select import StopRun, images_paid, select, spent, stop_after_scoring
from mmal.engine.stopping import Stopping
from mmal.errors import InputError
from mmal.fileio.atomic import write_bytes
from mmal.fileio.text import read_csv, read_json
from mmal.pool.cost_model import CostModel, write_costs
from mmal.pool.pool import Pool
from mmal.pool.score_table import ranked_bytes
from mmal.run.round_state import RoundState
from mmal.samplers.base import Scores

PSEUDO = {1: 4, 2: 1, 3: 0, 4: 2, 5: 9}


@pytest.fixture
def world(tmp_path):
    """A loop that has scored five images, best first, with PSEUDO boxes; truth has one more of each."""
    folder = RoundState(tmp_path, 2)
    scores = Scores({i: float(i) - 10 for i in PSEUDO}, pseudo_boxes=PSEUDO)
    write_bytes(folder.artifact('score'), ranked_bytes('influence', scores.ranked(0, 'ties')))
    folder.record['score'] = dict(seconds=0)
    loop = SimpleNamespace(work_dir=tmp_path, unit='image', query=3, sampler=SimpleNamespace(column='influence'),
                           oracle=SimpleNamespace(is_human=False),
                           data=SimpleNamespace(ground_truth=lambda ids: [0] * (PSEUDO[ids[0]] + 1)))
    return loop, folder


def chosen(loop, folder):
    select(loop, folder, Pool(list(PSEUDO)), folder.artifact('select'))
    marked = [int(row['id']) for row in read_csv(folder.artifact('score')) if row['selected'] == '1']
    assert marked == read_json(folder.artifact('select'))
    return marked


def test_images(world):
    assert chosen(*world) == [1, 2, 3]


def test_boxes_that_a_simulated_oracle_reveals(world):
    world[0].unit = 'box'
    assert chosen(*world) == [1], '5 boxes of 3'
    world[0].query = 6
    assert chosen(*world) == [1, 2]


def test_boxes_that_people_will_draw_are_predicted(world):
    loop, folder = world
    loop.unit, loop.query, loop.oracle.is_human = 'box', 5, True
    assert chosen(loop, folder) == [1, 2], 'pseudo-boxes, at least 1, while nothing is known'
    for n in range(2):  # then it is seen that there are three times as many
        write_costs(loop.work_dir / f'round_{n:02d}' / 'costs.csv', CostModel(), {7: 1, 8: 4}, {7: 3, 8: 12}, {})
    assert chosen(loop, folder) == [1]
    loop.query = 13
    assert chosen(loop, folder) == [1, 2]


def test_seconds(world):
    loop, folder = world
    loop.unit, loop.query, loop.oracle.is_human = 'second', 60, True
    with pytest.raises(InputError, match='no labeling time is known'):
        select(loop, folder, Pool(list(PSEUDO)), folder.artifact('select'))
    write_costs(loop.work_dir / 'initial' / 'costs.csv', CostModel(), {}, {7: 1, 8: 5}, {7: 12, 8: 20})  # 10 + 2 a box
    assert chosen(loop, folder) == [1, 2, 3, 4, 5], '18 + 12 + 12 + 14 are 56'
    loop.query = 55
    assert chosen(loop, folder) == [1, 2, 3, 4]
    assert images_paid(loop, 2, None) == round(55 / 16), 'three boxes an image so far'


def test_what_is_spent(world):
    loop, _ = world
    point = dict(round=2, images=30, boxes=90)
    assert spent(loop, point) == 30
    loop.unit = 'box'
    assert spent(loop, point) == 90
    loop.unit = 'second'
    for name in ('initial', 'round_00', 'round_01', 'round_02'):
        write_costs(loop.work_dir / name / 'costs.csv', CostModel(), {}, {1: 1, 2: 1}, {1: 2.5})
    assert spent(loop, point) == 15, 'the labels of round 2 come after its model; an image without a time is predicted'


def test_influence_left_is_measured_by_the_first_round(world):
    loop, folder = world
    first = RoundState(loop.work_dir, 0)
    scores = Scores({1: -1000.0}, pseudo_boxes={1: 1})
    write_bytes(first.artifact('score'), ranked_bytes('influence', scores.ranked(0, 'ties')))
    stop_after_scoring(Stopping(influence=0.001), folder)
    stop_after_scoring(Stopping(), folder)
    with pytest.raises(StopRun, match='below 0.1 of the first'):
        stop_after_scoring(Stopping(influence=0.1), folder)


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

