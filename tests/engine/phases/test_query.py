"""What the phases of a query choose from a real set by a real model: within the budget, and what they leave out."""

import json
from dataclasses import replace

import pytest
import torch

from mmal.adapters.detection.model import DetectionAdapter
from mmal.engine.query import build_query
from mmal.fileio.text import read_csv, read_json
from mmal.pool.order import shuffled
from mmal.pool.pool import Pool
from mmal.run.history import read_points
from tests.engine.fakes import make_round, make_run
from tests.engine.tiny_run import go


def test_choice_is_independent_of_file_order_and_depends_on_the_seed(make_cfg, dataset, tmp_path):
    random = dict(sampler=dict(type='mmal.RandomSampler'), rounds=1)
    first = go(make_cfg(tmp_path / 'a', **random))
    other_seed = make_cfg(tmp_path / 'b', **random)
    other_seed.randomness = dict(seed=1)
    other = go(other_seed)
    data = read_json(dataset / 'train.json')
    data['images'].reverse()
    (dataset / 'train.json').write_text(json.dumps(data))
    reversed_file = go(make_cfg(tmp_path / 'c', **random))

    def choice(work_dir):
        return ([i['id'] for i in read_json(work_dir / 'initial.json')['images']],
                read_json(work_dir / 'round_00' / 'selected.json'))

    assert choice(first) == choice(reversed_file)
    assert choice(first) != choice(other)


def test_a_query_tells_held_out_images_from_those_that_are_trained_on(tmp_path):
    run = make_run(tmp_path)
    round_ = make_round(run, labeled=(5, 1))
    query = build_query(run, replace(round_, pool=Pool(run.pool_ids, [8, 2, 5, 1])))
    assert (query.labeled, query.held_out, query.trained_on) == ([8, 2, 5, 1], [8, 2], [5, 1])


def test_budget_in_boxes_overshoots_by_at_most_one_image(make_cfg):
    work_dir = go(make_cfg(unit='box', query=5, rounds=1))
    boxes = {}
    for a in read_json(work_dir / 'round_00' / 'labeled.json')['annotations']:
        boxes[a['image_id']] = boxes.get(a['image_id'], 0) + 1
    selected = read_json(work_dir / 'round_00' / 'selected.json')
    assert sum(boxes[i] for i in selected[:-1]) < 5 <= sum(boxes[i] for i in selected)
    ranks = [row['id'] for row in read_csv(work_dir / 'round_00' / 'scores.csv')]
    assert [str(i) for i in selected] == ranks[:len(selected)]


def test_an_image_that_breaks_while_scoring_is_left_out(make_cfg, dataset):
    (dataset / 'set_003.png').write_bytes(b'no image')
    cfg = make_cfg(initial=5, query=2, rounds=1)
    seed = next(s for s in range(20) if 3 not in shuffled(range(1, 15), s, 'initial')[:5])
    cfg.randomness = dict(seed=seed)
    work_dir = go(cfg)
    assert list(read_json(work_dir / 'unreadable.json')['images']) == ['3']
    assert '3' not in [row['id'] for row in read_csv(work_dir / 'round_00' / 'scores.csv')]
    assert read_points(work_dir)[0]['metrics']['unreadable_images'] == 1


def test_an_influence_that_is_not_finite_is_ranked_last_counted_and_named(make_cfg, tmp_path, monkeypatch, caplog):
    original, bad = DetectionAdapter.pseudo_derivative, shuffled(range(1, 15), 0, 'initial')[-1]

    def broken(self, items, image_ids, *args):
        values, counts = original(self, items, image_ids, *args)
        values[[i == bad for i in image_ids]] = torch.nan
        return values, counts

    monkeypatch.setattr(DetectionAdapter, 'pseudo_derivative', broken)
    work_dir = go(make_cfg(rounds=1, initial=2))
    last = read_csv(work_dir / 'round_00' / 'scores.csv')[-1]
    assert (last['id'], last['influence'], last['selected']) == (str(bad), 'nan', '0')
    assert read_points(work_dir)[0]['metrics']['nonfinite_images'] == 1
    assert f'Image {bad} is ranked last' in caplog.text
    cfg = make_cfg(tmp_path / 'strict', rounds=1, initial=2)
    cfg.train_cfg.sampler.max_nonfinite = 0.05
    with pytest.raises(FloatingPointError, match='1 of 12 images of the pool.*max_nonfinite = 0.05.*Likely causes'):
        go(cfg)
