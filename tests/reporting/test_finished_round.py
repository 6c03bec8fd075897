"""A finished round: pictures of what was chosen, by itself and by the tools a user calls."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmal.errors import InputError
from mmal.fileio.text import read_json
from mmal.reporting.finished_round import SavedRound
from mmal.run.saved_run import _moved_folder
from tests.zoo_configs import ROOT, config


@pytest.fixture
def detection(make_cfg, run):
    return run(make_cfg(rounds=2, max_epochs=1))


def test_a_round_of_detection(detection, dataset):
    finished = SavedRound(detection, 0)
    image_id = finished.selected[0]
    picture = finished.picture(image_id)
    assert np.array_equal(np.asarray(picture), np.asarray(Image.open(dataset / f'set_{image_id:03d}.png')))
    labeled = read_json(detection / 'round_00' / 'labeled.json')
    turned, exif = dataset / 'turned.jpg', Image.Exif()
    exif[0x0112] = 6  # as a phone held upright writes it
    Image.new('RGB', (40, 20)).save(turned, exif=exif)
    real, finished.data.image_path = finished.data.image_path, lambda i: str(turned)
    assert finished.picture(image_id).size == (20, 40)
    finished.data.image_path = real
    truth = [a for a in labeled['annotations'] if a['image_id'] == image_id]
    assert [b[:4] for b in finished.boxes(image_id)] == [tuple(a['bbox']) for a in truth]
    assert {b[4] for b in finished.boxes(image_id)} <= {'disc', 'square'}
    with pytest.raises(InputError, match=r'Round 1 of .* has chosen nothing, or .* train_cfg.rounds=N'):
        SavedRound(detection, 1)
    with pytest.raises(InputError, match='holds no config'):
        SavedRound(dataset, 0)


@pytest.mark.parametrize(('then', 'now', 'folder'), [
    ('/gone/p/run', '/b/q/run', '/b/q'), ('/gone/p', '/b/q', '/b/q'), ('/gone/p/runs/a', '/b/runs/a', '/b'),
    ('/gone/p/run', '/b/q/renamed', None), ('/elsewhere/run', '/b/q/run', None), ('', '/b/q/run', None)])
def test_where_a_project_was_moved_to(then, now, folder):
    assert _moved_folder(Path(then), Path('/gone/p'), Path(now)) == (folder and Path(folder))


def test_a_project_that_is_still_there_was_not_moved(tmp_path):
    (tmp_path / 'run').mkdir()
    assert _moved_folder(tmp_path / 'run', tmp_path, Path('/b/q/run')) is None


def test_the_tools_draw(run, tmp_path):
    cfg = config('resnet_digits_isal.py')
    cfg.train_cfg.update(initial=20, query=10, rounds=2, max_iters=2, val_interval=2,
                         sampler=dict(type='mmal.RandomSampler'))
    cfg.param_scheduler = []
    cfg.work_dir, cfg.launcher, cfg.visualizer.name = str(tmp_path / 'run'), 'none', str(tmp_path)
    run(cfg)
    cfg.dump(tmp_path / 'run' / 'config.py')
    tools = ROOT / 'tools' / 'analysis_tools'
    for command, out in ((['contact_sheet.py', 'run', '-n', '3', '--out', 'sheet.png'], 'sheet.png'),
                         (['plot_tsne.py', 'run', '--most', '100', '--out', 'tsne.png'], 'tsne.png')):
        found = subprocess.run([sys.executable, str(tools / command[0]), *command[1:]], cwd=tmp_path,
                               capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stderr
        assert Image.open(tmp_path / out).size[0] > 300
    failed = subprocess.run([sys.executable, str(tools / 'plot_tsne.py'), 'nowhere'], cwd=tmp_path,
                            capture_output=True, text=True, check=False)
    assert 'holds no config' in failed.stderr
    assert 'Traceback' not in failed.stderr
