import json
import os
import re
import signal
import subprocess
import sys

import pytest
import torch

import mmal
from mmal.benchmark import local_executor, record
from mmal.benchmark.local_executor import LocalExecutor, _locked, with_this_package
from mmal.benchmark.plan import PlannedRun
from mmal.benchmark.record import _commit
from mmal.cli.compare import visible_gpus
from mmal.errors import InputError
from mmal.fileio.text import read_json
from tests.slurm.cluster import wait_for
from tests.tools.small_digits import environment, plan
from tests.zoo_configs import ROOT

TOOL = str(ROOT / 'tools' / 'al_compare.py')


def test_a_lock_is_held_by_one_alone(tmp_path):
    with _locked(tmp_path / 'a' / 'lock'):
        with pytest.raises(InputError, match='another process'), _locked(tmp_path / 'a' / 'lock'):
            pass
        with _locked(tmp_path / 'a' / 'other'):
            pass
    with _locked(tmp_path / 'a' / 'lock'):
        pass


class Stub:
    """A run as the scheduler sees it."""

    def __init__(self, name, start_from=None):
        self.folder, self.start_from = name, start_from


def test_runs_of_a_seed_wait_for_its_first_and_seeds_come_in_order():
    runs = [Stub('a0'), Stub('b0', 'a0'), Stub('c0', 'a0'), Stub('a1'), Stub('b1', 'a1')]
    executor = LocalExecutor(None, 2)
    names = lambda todo, running: [r.folder for r in executor._ready(todo, running)]  # noqa: E731
    assert names(runs, []) == ['a0', 'a1']
    assert names(runs[1:3] + runs[4:], [runs[0], runs[3]]) == []
    assert names(runs[1:3] + runs[4:], [runs[3]]) == ['b0']
    assert names(runs[2:3] + runs[4:], []) == ['c0', 'b1']
    assert names(runs[4:], []) == ['b1'], 'a first one that is done, or failed, holds nobody up'


class Plan:
    """A plan of one run."""

    name, metric, baseline, target, seeds, methods, config, path = 'p', 'm', None, None, [0], ['a'], '', 'plan.py'
    holdout = None

    def __init__(self, folder):
        self.work_dir, self.ready = folder, [PlannedRun('a', 0, folder / 'a' / 'seed_0', 'digest', 1, None)]

    def runs(self):
        return self.ready

    def prepare(self, run):
        raise OSError(28, 'No space left on device', str(self.work_dir / 'configs'))


def test_a_run_that_could_not_be_begun_is_listed_with_the_reason(tmp_path):
    said = []
    failed = LocalExecutor(Plan(tmp_path), 1, log=said.append).execute()
    assert [r.method for r in failed] == ['a']
    listed = read_json(tmp_path / 'comparison.json')['runs'][0]
    assert listed['state'] == 'failed'
    assert 'No space left on device' in listed['error']
    assert any('FAILED: [Errno 28] No space left' in line for line in said)


class Ready(Plan):
    """A plan of one method with some seeds, whose runs begin at once."""

    def __init__(self, folder, seeds):
        self.work_dir, self.seeds = folder, seeds
        self.ready = [PlannedRun('a', seed, folder / 'a' / f'seed_{seed}', 'digest', 1, None) for seed in seeds]

    def prepare(self, run):
        run.mark(done=False)
        return self.work_dir / 'config.py'


@pytest.fixture
def program(tmp_path):
    """A program in the place of Python, to be called with -m, a module, a config, --work-dir and the folder."""
    def write(what):
        path = tmp_path / 'program'
        path.write_text(f'#!/bin/sh\ncd "$5" && {what}\n')
        path.chmod(0o755)
        return str(path)
    return write


def test_each_of_two_at_a_time_has_a_gpu_of_its_own(tmp_path, monkeypatch, program):
    """A run fails where another one has its GPU; the first two wait for each other."""
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    gpu = '../$CUDA_VISIBLE_DEVICES.in_use'
    monkeypatch.setattr(sys, 'executable', program(
        f'mkdir "{gpu}" && echo "$CUDA_VISIBLE_DEVICES $OMP_NUM_THREADS" > seen && '
        'for n in $(seq 100); do [ $(cat ../*/seen | wc -l) -ge 2 ] && break; sleep 0.05; done && '
        f'sleep 0.1 && rmdir "{gpu}"'))
    made = Ready(tmp_path / 'work', [0, 1, 2, 3])
    assert LocalExecutor(made, 2, ['2', 'GPU-7'], log=str, cores=6).execute() == []
    seen = [(run.folder / 'seen').read_text().split() for run in made.runs()]
    assert {gpu for gpu, _ in seen[:2]} == {gpu for gpu, _ in seen} == {'2', 'GPU-7'}
    assert {threads for _, threads in seen} == {'3'}


def test_a_number_of_threads_that_is_set_is_kept(tmp_path, monkeypatch, program):
    monkeypatch.setattr(sys, 'executable', program('echo "$OMP_NUM_THREADS" > seen'))
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    made = Ready(tmp_path / 'work', [0])
    assert LocalExecutor(made, 1, log=str, cores=6).execute() == []
    assert (made.runs()[0].folder / 'seen').read_text() == '1\n'


def test_without_gpus_nothing_is_said_of_them(tmp_path, monkeypatch, program):
    monkeypatch.setattr(sys, 'executable', program('echo "$CUDA_VISIBLE_DEVICES" > seen'))
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', 'as it was')
    made = Ready(tmp_path / 'work', [0])
    assert LocalExecutor(made, 1, log=str).execute() == []
    assert (made.runs()[0].folder / 'seen').read_text() == 'as it was\n'


def test_a_run_is_a_module_of_this_package_wherever_it_is_installed(tmp_path, monkeypatch, program):
    monkeypatch.setattr(sys, 'executable', program('echo "$@" > seen'))
    made = Ready(tmp_path / 'work', [3])
    assert LocalExecutor(made, 1, log=str).execute() == []
    folder = made.runs()[0].folder
    assert (folder / 'seen').read_text().strip() == (
        f'-m mmal.cli.train {tmp_path}/work/config.py --work-dir {folder} --seed 3 --resume')


@pytest.mark.skipif(sys.version_info < (3, 11), reason='the current folder always comes first before Python 3.11')
def test_a_process_finds_the_same_mmal_though_the_current_folder_has_another(tmp_path):
    (tmp_path / 'mmal').mkdir()
    (tmp_path / 'mmal' / '__init__.py').write_text('')
    for given in ({}, dict(PYTHONPATH=str(tmp_path))):
        env = with_this_package({k: v for k, v in os.environ.items() if k != 'PYTHONPATH'} | given)
        out = subprocess.run([sys.executable, '-c', 'import mmal; print(mmal.__file__)'], cwd=tmp_path, env=env,
                             capture_output=True, text=True, check=True)
        assert out.stdout.strip() == mmal.__file__


def test_site_packages_are_not_put_before_the_standard_library(tmp_path, monkeypatch):
    monkeypatch.setattr(local_executor, 'CODE_FOLDER', tmp_path)
    monkeypatch.setattr(local_executor.sysconfig, 'get_path', {'purelib': str(tmp_path)}.get)
    assert 'PYTHONPATH' not in with_this_package({})


def test_the_commit_is_that_of_the_checkout_and_of_no_folder_above(tmp_path, monkeypatch):
    def git(*args):
        subprocess.run(['git', '-C', str(tmp_path), '-c', 'user.name=a', '-c', 'user.email=b', *args], check=True,
                       capture_output=True)

    git('init')
    git('commit', '--allow-empty', '-m', 'a project that has a virtual environment in it')
    monkeypatch.setattr(record, 'CODE_FOLDER', tmp_path)
    assert re.fullmatch('[0-9a-f]{7,}', _commit())
    monkeypatch.setenv('PATH', str(tmp_path))
    assert _commit() is None, 'without git'
    monkeypatch.undo()
    (tmp_path / 'site-packages').mkdir()
    monkeypatch.setattr(record, 'CODE_FOLDER', tmp_path / 'site-packages')
    assert _commit() is None


@pytest.mark.parametrize(('named', 'count', 'found'), [
    (None, 2, ['0', '1']), ('5, GPU-7', 2, ['5', 'GPU-7']), ('', 0, []), (None, 0, [])])
def test_the_gpus_are_those_this_process_may_use(monkeypatch, named, count, found):
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    if named is not None:
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', named)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: count)
    assert visible_gpus() == found


@pytest.fixture
def stopped(tmp_path, program):
    """Start a plan twice, with programs that never end, send each of two signals, and wait: exit status and message."""
    path, fake = plan(tmp_path, 'dict(first={}, second={})'), program('echo $$ > pid && exec sleep 300')
    path.write_text(path.read_text().replace('[1]', '[1, 2, 3]'))
    code = ('import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); '
            f'sys.executable = {fake!r}; runpy.run_path({TOOL!r}, run_name="__main__")')
    started = {sent: subprocess.Popen(
        [sys.executable, '-c', code, str(path), '--jobs', '2', '--work-dir', str(tmp_path / sent.name)],
        stderr=subprocess.PIPE, text=True, env=environment()) for sent in (signal.SIGINT, signal.SIGTERM)}
    try:
        for sent, process in started.items():
            for seed in (1, 2):
                pid = tmp_path / sent.name / 'first' / f'seed_{seed}' / 'pid'
                wait_for(lambda: pid.exists() and pid.read_text(), 60, str(pid))  # noqa: B023
            process.send_signal(sent)
        return {tmp_path / sent.name: (process.communicate(timeout=30)[1].strip(), process.returncode)
                for sent, process in started.items()}
    finally:
        for process in started.values():
            process.kill()


def test_ctrl_c_and_a_time_limit_end_the_runs_and_mark_none(stopped):
    for work_dir, told in stopped.items():
        assert told == ('al_compare.py: stopped. Call it again to go on.', 1)
        for folder in (work_dir / 'first' / 'seed_1', work_dir / 'first' / 'seed_2'):
            assert not os.path.exists(f'/proc/{int((folder / "pid").read_text())}')
            marker = read_json(folder / 'plan.json')
            assert (marker['done'], marker['error']) == (0, None)
        assert not list(work_dir.glob('*/seed_3')), 'nothing more is begun'


def test_what_another_config_left_is_not_taken_for_a_run(tmp_path):
    """Before the new run has begun its folder holds the old one's curve, error and metric."""
    made = Ready(tmp_path / 'work', [0])
    old = PlannedRun('a', 0, made.ready[0].folder, 'another', 1, None)
    old.mark(done=False, error='out of memory')
    (old.folder / 'curve.json').write_text(json.dumps(
        [dict(round=0, images=5, boxes=5, metrics={'old/mAP': 0.5}, seconds={})]))
    made.metric = None
    LocalExecutor(made, 1, log=str).write_state(made.runs())
    found = read_json(tmp_path / 'work' / 'comparison.json')
    assert found['metric'] == 'metric'
    assert (found['runs'][0]['state'], found['runs'][0]['error']) == ('missing', None)
    made.prepare(made.ready[0])
    LocalExecutor(made, 1, log=str).write_state(made.runs())
    assert read_json(tmp_path / 'work' / 'comparison.json')['runs'][0]['state'] == 'running'
