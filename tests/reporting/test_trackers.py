"""What TensorBoard and MLflow show of a run, read back by their own readers."""

import json
import logging

import numpy as np
import pytest
from mmengine.registry import VISBACKENDS
from mmengine.visualization import LocalVisBackend
from PIL import Image

from mmal.fileio.text import read_csv, read_json
from mmal.reporting.trackers import TABLE_ROWS, _markdown
from mmal.run.layout import RunPaths


@VISBACKENDS.register_module()
class FailingBackend(LocalVisBackend):
    """A tracker whose server is away as long as ``away`` says so."""

    away = True

    def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs):
        if type(self).away and 'al/round' in scalar_dict:
            raise ConnectionError('no server')
        super().add_scalars(scalar_dict, step, file_path, **kwargs)


@pytest.fixture
def random_cfg(make_cfg):
    def make(*backends, **train_cfg):
        cfg = make_cfg(max_epochs=1, sampler=dict(type='mmal.RandomSampler'), **train_cfg)
        cfg.visualizer.vis_backends = [dict(b) for b in backends]
        return cfg
    return make


def local_points(work_dir):
    """Points in the scalars of the outer Runner, a list for each start of it."""
    found = []
    for path in sorted(work_dir.glob('2*/vis_data/scalars.json')):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        found.append([p for p in lines if 'al/images' in p])
    return found


def test_tensorboard_has_curves_pictures_and_tables(random_cfg, run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    work_dir = run(random_cfg(dict(type='TensorboardVisBackend'), rounds=3))
    events = EventAccumulator(str(next(work_dir.glob('2*/vis_data')))).Reload()
    curve = read_json(work_dir / 'curve.json')
    for name, values in (('al/images', [6, 9, 12]), ('al/boxes', [p['boxes'] for p in curve]),
                         ('al/coco/bbox_mAP', [p['metrics']['coco/bbox_mAP'] for p in curve]),
                         ('al/seconds/train', [p['seconds']['train'] for p in curve])):
        found = events.Scalars(name)
        assert [e.step for e in found] == [0, 1, 2]
        assert [e.value for e in found] == pytest.approx(values)
    assert [e.step for e in events.Images('al/chosen')] == [0, 1]
    assert events.Images('al/chosen')[0].width > 3 * 160
    assert [e.step for e in events.Images('al/curve')] == [0, 1, 2]
    text = events.Tensors('al/chosen/text_summary')[1].tensor_proto.string_val[0].decode().splitlines()
    assert text[:2] == ['| rank | id | score |', '| --- | --- | --- |']
    assert [row.split(' | ')[1] for row in text[2:]] == [str(i) for i in read_json(work_dir / 'round_01/selected.json')]


def test_mlflow_has_curves_pictures_and_tables(random_cfg, run, tmp_path, monkeypatch):
    mlflow = pytest.importorskip('mlflow')
    monkeypatch.setenv('MLFLOW_ALLOW_FILE_STORE', 'true')
    monkeypatch.setenv('MLFLOW_ENABLE_ASYNC_LOGGING', 'false')
    store = (tmp_path / 'mlruns').as_uri()
    work_dir = run(random_cfg(dict(type='MLflowVisBackend', tracking_uri=store, exp_name='al',
                                   artifact_suffix=('.log', ))))
    client = mlflow.MlflowClient(store)
    runs = client.search_runs([client.get_experiment_by_name('al').experiment_id])
    assert len(runs) == 1, 'rounds begin no runs of their own'
    curve, run_id = read_json(work_dir / 'curve.json'), runs[0].info.run_id
    for name, values in (('al/images', [6, 9]), ('al/coco/bbox_mAP', [p['metrics']['coco/bbox_mAP'] for p in curve])):
        assert [(m.step, m.value) for m in client.get_metric_history(run_id, name)] == list(enumerate(values))
    assert runs[0].info.status == 'FINISHED'
    picture = client.download_artifacts(run_id, 'al/chosen/round_00.png', str(tmp_path))
    assert Image.open(picture).width > 3 * 160
    table = read_csv(client.download_artifacts(run_id, 'al/chosen/round_00.csv', str(tmp_path)))
    assert [row['id'] for row in table] == [str(i) for i in read_json(work_dir / 'round_00/selected.json')]
    assert {a.path for a in client.list_artifacts(run_id, 'al')} == {'al/chosen', 'al/curve'}


def test_a_run_that_goes_on_logs_no_round_twice(random_cfg, run):
    work_dir = run(random_cfg(dict(type='LocalVisBackend'), rounds=2))
    picture = np.asarray(Image.open(next(work_dir.glob('2*/vis_data/vis_image/al_chosen_0.png'))))
    assert (picture == (255, 200, 0)).all(axis=2).any(), 'the boxes that labeling revealed are drawn'
    for _ in range(2):
        cfg = random_cfg(dict(type='LocalVisBackend'), rounds=3)
        cfg.resume, cfg.visualizer.name = True, f'{cfg.visualizer.name}_{_}'
        run(cfg)
    assert [p['al/round'] for points in local_points(work_dir) for p in points] == [0, 1, 2]


def test_a_backend_that_fails_is_named_and_asked_again(random_cfg, run, caplog, monkeypatch):
    monkeypatch.setattr(FailingBackend, 'away', True)
    backends = dict(type='FailingBackend', name='mine'), dict(type='LocalVisBackend')
    with caplog.at_level(logging.WARNING):
        work_dir = run(random_cfg(*backends, rounds=1))
    log = next(work_dir.glob('2*/*.log')).read_text()
    assert 'mine of vis_backends failed and lacks round 0' in log
    assert 'ConnectionError: no server' in log
    assert [[p['al/round'] for p in points] for points in local_points(work_dir)] == [[0]]
    assert read_json(work_dir / 'published.json')['mine'] == {}
    monkeypatch.setattr(FailingBackend, 'away', False)
    cfg = random_cfg(*backends, rounds=2)
    cfg.resume, cfg.visualizer.name = True, f'{cfg.visualizer.name}_again'
    run(cfg)
    last = local_points(work_dir)[-1]
    assert sorted(p['al/round'] for p in last) == [0, 1, 1], 'mine has both, the other only what it lacked'


def test_a_damaged_record_pictures_that_are_away_and_a_round_that_waits(random_cfg, run, dataset):
    from mmengine.config import ConfigDict

    from mmal.reporting.trackers import log_to_trackers

    class Outer:
        logger, given = logging.getLogger('outer'), []

    work_dir = run(random_cfg(dict(type='LocalVisBackend')))
    RunPaths(work_dir).tracked.write_text('[1')
    from mmal.reporting.finished_round import SavedRound
    finished = SavedRound(work_dir, 0, cfg=random_cfg(dict(type='LocalVisBackend')))
    for path in dataset.glob('*.png'):
        path.unlink()

    class Keeping(LocalVisBackend):
        def add_scalars(self, scalar_dict, step=0, **kwargs):
            Outer.given.append(scalar_dict)

        def add_image(self, name, image, step=0, **kwargs):
            Outer.given.append(name)

    Outer.work_dir, Outer.cfg, backend = str(work_dir), ConfigDict(), Keeping(str(work_dir / 'kept'))
    Outer.visualizer = type('V', (), dict(get_backend=lambda self, name: backend))()
    first = read_json(work_dir / 'curve.json')[0]
    waiting = dict(first, round=1, images=9, seconds=dict(train=1.0))
    log_to_trackers(Outer, finished.data, [first, waiting])
    assert [g if isinstance(g, str) else g.get('al/images', g) for g in Outer.given] == [
        6, 'al_curve', {'al/round': 0, **{f'al/seconds/{p}': first['seconds'][p] for p in first['seconds']
                                          if p not in ('train', 'evaluate')}}, 9, 'al_curve']
    assert list(read_json(RunPaths(work_dir).tracked)) == ['LocalVisBackend']


def test_a_long_table_is_cut_and_names_with_bars_are_kept():
    rows = [(n, 'a|b' if n else '\udcff', 0.5) for n in range(TABLE_ROWS + 2)]
    text = _markdown(['rank', 'id', 's'], rows).splitlines()
    assert text[2] == '| 0 | ? | 0.5 |'
    assert text[3] == '| 1 | a\\|b | 0.5 |'
    assert text[-1] == 'and 2 more'
    assert len(text) == TABLE_ROWS + 4


def test_a_dry_run_and_the_rounds_begin_nothing_in_a_tracker(random_cfg, monkeypatch):
    from mmal.engine.dry_run import dry_run
    from mmal.engine.round_runner import folder_backends

    def refuse(*args, **kwargs):
        raise AssertionError('begun')

    monkeypatch.setattr(FailingBackend, 'add_config', refuse)
    text, problems = dry_run(random_cfg(dict(type='FailingBackend'), dict(type='LocalVisBackend')))
    assert not problems
    kept = [dict(type='mmengine.TensorboardVisBackend'), dict(type=LocalVisBackend)]
    assert folder_backends(dict(vis_backends=[*kept, dict(type='WandbVisBackend')])) == kept
    assert folder_backends(dict(vis_backends=kept[0])) == kept[:1]
    assert folder_backends(dict(vis_backends=None)) == []
