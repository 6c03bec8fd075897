"""tools/slurm_al_train.sh as a user calls it, on a cluster of two emulated nodes."""

import json
import subprocess
import sys
import time

import pytest

from tests.slurm.cluster import wait_for
from tests.tools.small_digits import OPTIONS, failing_config, selections
from tests.zoo_configs import ROOT

pytestmark = pytest.mark.slurm
CONFIG = ROOT / 'configs' / 'resnet_digits_isal.py'
ON_GPUS = dict(GPUS='2', GPUS_PER_NODE='2', CPUS_PER_TASK='1')  # of the cluster; torch sees none
ON_CPUS = dict(GPUS='2', GPUS_PER_NODE='0', CPUS_PER_TASK='1')


def command(config, work_dir, *args):
    return list(map(str, (ROOT / 'tools' / 'slurm_al_train.sh', 'debug', 'job', config, work_dir, *args)))


def call(cwd, env, *args):
    return subprocess.run(list(map(str, args)), cwd=cwd, env=env, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300)


def results(work_dir):
    """What it chose and measured."""
    curve = json.loads((work_dir / 'curve.json').read_text())
    return selections(work_dir), [(p['images'], p['metrics']) for p in curve]


@pytest.fixture(scope='module')
def rounds():
    return ['--cfg-options', *OPTIONS, 'train_cfg.rounds=3']


@pytest.fixture(scope='module')
def two_tasks(slurm, rounds, tmp_path_factory):
    """Work_dir of a run by two tasks on one node, called from a folder with its config beside."""
    folder = tmp_path_factory.mktemp('two_tasks')
    (folder / 'my.py').write_text(f'_base_ = {str(CONFIG)!r}\n')
    done = call(folder, dict(slurm, **ON_GPUS), *command('my.py', 'run', *rounds))
    assert done.returncode == 0, done.stdout[-3000:]
    assert len(selections(folder / 'run')) == 2
    return folder / 'run'


def test_two_tasks_choose_as_one_process(slurm, two_tasks, rounds, tmp_path):
    """From the model that the two trained: what two train differs from what one does, as in mmdet."""
    done = call(tmp_path, slurm, sys.executable, ROOT / 'tools/al_train.py', CONFIG, '--work-dir', 'one', *rounds,
                'train_cfg.rounds=2', f'train_cfg.start_from={two_tasks}')
    assert done.returncode == 0, done.stdout[-3000:]
    assert 'the first trained model' in done.stdout
    assert selections(tmp_path / 'one') == selections(two_tasks)[:1]


def test_two_nodes_choose_as_two_tasks_on_one(slurm, two_tasks, rounds, tmp_path):
    env = dict(slurm, GPUS='2', GPUS_PER_NODE='1', CPUS_PER_TASK='1', MASTER_ADDR='127.0.0.1')
    done = call(tmp_path, env, *command(CONFIG, 'run', *rounds))
    assert done.returncode == 0, done.stdout[-3000:]
    assert results(tmp_path / 'run') == results(two_tasks)


def test_a_requeued_job_ends_with_the_very_result(slurm, two_tasks, rounds, tmp_path):
    script, run = tmp_path / 'job.sh', tmp_path / 'run'
    line = ' '.join(command(CONFIG, run, '--resume', *rounds))
    script.write_text(f'#!/bin/bash\necho "restarts: ${{SLURM_RESTART_COUNT:-0}}"\n{line}\n')
    submit = ['sbatch', '--parsable', '--requeue', '--open-mode=append', '--ntasks=2', '--output=out.txt', script]
    job = call(tmp_path, dict(slurm, **ON_CPUS), *submit).stdout.strip()
    wait_for((run / 'round_01' / 'checkpoint.pth').exists, 120, 'round 1')
    assert call(tmp_path, slurm, 'scontrol', 'requeue', job).returncode == 0
    assert not (run / 'round_02' / 'metrics.json').exists()
    state = ['squeue', '--noheader', '--states=all', '--format=%T', '--jobs', job]
    wait_for(lambda: call(tmp_path, slurm, *state).stdout.strip() in ('COMPLETED', 'FAILED'), 200, 'the job to end')
    output = (tmp_path / 'out.txt').read_text()
    assert 'restarts: 1' in output
    assert results(run) == results(two_tasks), output[-3000:]


@pytest.mark.parametrize(('how', 'message'), [('raise', 'rank 1 was told to fail'), ('hang', 'imed out')])
def test_a_rank_that_fails_ends_all_with_its_message(slurm, tmp_path, how, message):
    args = command(failing_config(tmp_path, how), 'run', '--cfg-options', *OPTIONS)
    process = subprocess.Popen(args, cwd=tmp_path, env=dict(slurm, **ON_CPUS), text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    lines, failed_at = [], None
    for line in process.stdout:
        lines.append(line)
        failed_at = failed_at or (time.monotonic() if message in line else None)
    assert process.wait() != 0
    assert failed_at, ''.join(lines[-40:])
    assert time.monotonic() - failed_at < 60


def test_a_node_that_nobody_can_find_is_told(slurm, tmp_path):
    env = dict(slurm, SRUN_ARGS='--nodes=2', **ON_CPUS)
    done = call(tmp_path, env, *command(CONFIG, 'run', '--cfg-options', *OPTIONS))
    assert done.returncode != 0
    assert 'does not know the address of the first node, n1' in done.stdout
    assert 'Traceback' not in done.stdout


def test_wrong_arguments_and_a_copied_script_are_told(slurm, tmp_path):
    done = call(tmp_path, slurm, ROOT / 'tools' / 'slurm_al_train.sh', 'debug', 'job')
    assert done.returncode == 2
    assert 'expected PARTITION JOB_NAME CONFIG WORK_DIR' in done.stdout
    args = ['--wait', '--output=out.txt', ROOT / 'tools' / 'slurm_al_train.sh', 'debug', 'job', CONFIG, 'run']
    assert call(tmp_path, slurm, 'sbatch', *args).returncode == 2
    assert 'Do not give this script to sbatch' in (tmp_path / 'out.txt').read_text()
