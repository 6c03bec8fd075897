"""A model that detects nothing has a metric of 0, in every file of the run, and is told of."""

import csv

import pytest

from mmal.fileio.text import read_json

pytestmark = pytest.mark.usefixtures('no_drawing')
METRIC = 'coco/bbox_mAP'


def test_a_run_that_detects_nothing_measures_zero_in_every_file_and_says_so(make_cfg, run):
    cfg = make_cfg(rounds=3, max_epochs=1, sampler=dict(type='mmal.RandomSampler'), stop=dict(patience=1))
    cfg.custom_hooks = []
    cfg.model.test_cfg.score_thr = 1.1
    work_dir = run(cfg)
    curve = read_json(work_dir / 'curve.json')
    assert [point['metrics'][METRIC] for point in curve] == [0.0, 0.0]
    assert [read_json(work_dir / f'round_0{n}' / 'metrics.json')['metrics'][METRIC] for n in (0, 1)] == [0.0, 0.0]
    with open(work_dir / 'curve.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [float(row[METRIC]) for row in rows] == [0.0, 0.0]
    log = next(work_dir.glob('*/*.log')).read_text()
    for title in ('Round 0', 'Round 1'):
        assert log.count(f'{title}: nothing was detected on the evaluation set, so {METRIC}, ') == 1
    assert f'{METRIC} has not risen by more than 0 for 1 rounds' in log
    assert 'None has not risen' not in log
    assert METRIC in (work_dir / 'report.html').read_text()
