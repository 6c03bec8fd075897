"""Whole small runs on a GPU: in this process, with mixed precision, and started as a user starts several processes."""

import math
import subprocess

import pytest

from mmal.fileio.checksummed import read_checksummed
from mmal.fileio.text import read_csv, read_json
from tests.gpu.test_processes import TWO_GPUS
from tests.tools.small_digits import OPTIONS, environment, selections
from tests.zoo_configs import ROOT

pytestmark = pytest.mark.gpu


def assert_scored(folder):
    scores = [float(row['influence']) for row in read_csv(folder / 'scores.csv')]
    assert scores
    assert all(map(math.isfinite, scores))


def test_a_run_records_and_shows_what_memory_it_took(make_cfg, run):
    work_dir = run(make_cfg())
    assert selections(work_dir)
    folder = work_dir / 'round_00'
    assert_scored(folder)
    record = read_checksummed(folder / 'phases.json')
    assert all(record[phase]['gpu_bytes'] > 0 for phase in ('s_test', 'score', 'describe'))
    assert read_json(folder / 's_test.json')['gpu_bytes'] > 0
    assert 'Peak GPU memory of each round' in (work_dir / 'report.html').read_text()


def test_a_model_trained_with_autocast_is_scored_in_single_precision(make_cfg, run):
    cfg = make_cfg()
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.loss_scale = 'dynamic'
    folder = run(cfg) / 'round_00'
    assert_scored(folder)
    assert math.isfinite(read_json(folder / 's_test.json')['s_test_norm'])


@pytest.mark.parametrize('gpus', [1, pytest.param(2, marks=TWO_GPUS)])
def test_processes_of_nccl(gpus, tmp_path):
    command = [ROOT / 'tools' / 'dist_al_train.sh', ROOT / 'configs' / 'resnet_digits_isal.py', gpus, '--work-dir',
               'run', '--cfg-options', *OPTIONS, 'train_cfg.rounds=2']
    done = subprocess.run(list(map(str, command)), cwd=tmp_path, env=environment(), capture_output=True, text=True,
                          timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert len(selections(tmp_path / 'run')) == 1
    assert_scored(tmp_path / 'run' / 'round_00')
