"""The command line, and the same config under mmdet's own train.py."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmal.fileio.checksummed import read_checksummed, write_checksummed
from mmal.fileio.text import read_csv, read_json
from tests.processes import program
from tests.zoo_configs import ROOT


def call(script, *args, cwd, **env):
    return subprocess.run([sys.executable, script, *map(str, args)], cwd=cwd, capture_output=True, text=True,
                          env=dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1', **env), timeout=300)


def test_dry_run_prints_the_plan_and_its_exit_status_counts(config_file, dataset, tmp_path):
    done = program(ROOT / 'tools/al_train.py', config_file, '--dry-run', cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith('\nThe plan (nothing was trained)\npool:            14 images'), done.stdout[:2000]
    assert 'WARNING' not in done.stderr
    assert not (tmp_path / 'work_dirs').exists()
    (dataset / 'set_003.png').unlink()
    done = program(ROOT / 'tools/al_train.py', config_file, '--dry-run', cwd=tmp_path)
    assert done.returncode == 2
    assert 'PROBLEM: 1 of 14 image files' in done.stdout


def test_a_run_with_mmdets_arguments_then_resume_and_refusal(config_file, tmp_path):
    args = [config_file, '--work-dir', tmp_path / 'w', '--seed', '3', '--cfg-options', 'train_cfg.query=2',
            'train_cfg.rounds=2', 'train_cfg.sampler.score_thr=0.2']
    done = call(ROOT / 'tools/al_train.py', *args, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'System environment' not in done.stdout
    assert 'train_cfg = dict' not in done.stdout
    log = next((tmp_path / 'w').glob('*/*.log')).read_text()
    assert 'System environment' in log
    assert 'train_cfg = dict' in log
    assert len(read_json(tmp_path / 'w' / 'round_00' / 'selected.json')) == 2
    assert read_json(tmp_path / 'w' / 'run.json')['seed'] == 3
    refused = program(ROOT / 'tools/al_train.py', *args, cwd=tmp_path)
    assert refused.returncode == 1
    assert 'holds a run already' in refused.stderr
    assert 'Traceback' not in refused.stderr
    again = program(ROOT / 'tools/al_train.py', *args, '--resume', cwd=tmp_path)
    assert again.returncode == 0, again.stderr[-2000:]
    assert 'The learning curve' in again.stdout + again.stderr


def test_errors_are_one_message_without_a_traceback(config_file, dataset, tmp_path):
    (dataset / 'val.json').unlink()
    for args, message in (((config_file, ), 'val.json'), (('nowhere.py', ), 'nowhere.py'),
                          ((config_file, '--cfg-options', 'train_cfg.type=EpochBasedTrainLoop'), 'mmal.ActiveLoop')):
        done = program(ROOT / 'tools/al_train.py', *args, cwd=tmp_path)
        assert done.returncode == 1
        assert 'al_train.py: ' in done.stderr
        assert message in done.stderr
        assert 'Traceback' not in done.stderr


def test_the_config_runs_under_mmdets_own_train(config_file, tmp_path):
    import mmdet
    train = Path(mmdet.__file__).parent / '.mim' / 'tools' / 'train.py'
    done = call(train, config_file, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(read_json(tmp_path / 'work_dirs' / 'tiny' / 'curve.json')) == 1
    done = program(train, config_file, '--resume', '--cfg-options', 'train_cfg.rounds=2', cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [p['round'] for p in read_json(tmp_path / 'work_dirs' / 'tiny' / 'curve.json')] == [0, 1]


def test_check_env_needs_nothing_installed(tmp_path):
    done = subprocess.run([sys.executable, ROOT / 'tools' / 'check_env.py'], cwd=tmp_path, capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(line.startswith(('ok', 'note')) for line in done.stdout.splitlines())


def torchrun(*args, cwd):
    """Two processes of al_train.py; what both say is one text."""
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2',
               ROOT / 'tools/al_train.py', *args]
    return subprocess.run(list(map(str, command)), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'), timeout=300)


def test_processes_of_torchrun_without_its_launcher_are_refused_once_and_leave_nothing(config_file, tmp_path):
    done = torchrun(config_file, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.count('al_train.py: torchrun started 2 processes') == 1, done.stdout[-3000:]
    assert 'Add --launcher pytorch' in done.stdout
    assert not (tmp_path / 'work_dirs').exists()


@pytest.mark.parametrize('dry', [['--dry-run'], []], ids=['dry run', 'start'])
def test_a_launcher_without_its_processes_is_refused_with_the_call_to_make(config_file, tmp_path, dry):
    done = program(ROOT / 'tools/al_train.py', config_file, '--launcher', 'pytorch', *dry, cwd=tmp_path)
    assert done.returncode == 1
    assert 'Start it by `torchrun --standalone --nproc-per-node GPUS ' in done.stderr
    assert f'al_train.py {config_file} --launcher pytorch' in done.stderr
    assert not (tmp_path / 'work_dirs').exists()


@pytest.mark.slow
def test_a_dry_run_of_two_processes_prints_one_plan_with_the_iterations_of_two(config_file, tmp_path):
    options = ['--cfg-options', 'train_dataloader.batch_size=1']
    done = torchrun(config_file, '--launcher', 'pytorch', '--dry-run', *options, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:]
    assert done.stdout.count('The plan (nothing was trained)') == 1
    assert 'first training:  3 iterations (1 epochs of 3)' in done.stdout
    assert not (tmp_path / 'work_dirs').exists()


@pytest.mark.slow
def test_two_processes_choose_as_one(config_file, tmp_path):
    """Same checkpoint, scored by one process and by two (gloo): the same influences and the same choice.

    Nothing is written into the current folder, which may be read-only.
    """
    (tmp_path / 'here').mkdir()
    more = ['--cfg-options', 'train_cfg.rounds=2']
    run = [ROOT / 'tools/al_train.py', config_file, '--launcher', 'pytorch', '--work-dir', tmp_path / 'two', *more]
    torchrun = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2']
    env = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    done = subprocess.run(list(map(str, torchrun + run)), cwd=tmp_path / 'here', capture_output=True, text=True,
                          env=env, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not list((tmp_path / 'here').iterdir())
    assert not list((tmp_path / 'two').rglob('.results_*'))
    shutil.copytree(tmp_path / 'two', tmp_path / 'one')
    record = tmp_path / 'one' / 'round_00' / 'phases.json'
    write_checksummed(record, {k: v for k, v in read_checksummed(record).items() if k in ('train', 'evaluate')})
    done = call(ROOT / 'tools/al_train.py', config_file, '--resume', '--work-dir', tmp_path / 'one', *more,
                cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = ({r['id']: float(r['influence']) for r in read_csv(tmp_path / n / 'round_00' / 'scores.csv')}
                for n in ('one', 'two'))
    assert one == pytest.approx(two, rel=1e-4)
    assert read_json(tmp_path / 'one/round_00/selected.json') == read_json(tmp_path / 'two/round_00/selected.json')
