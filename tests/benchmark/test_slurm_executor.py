"""Comparison runs as jobs: what is submitted, and an interruption, by submitit's executor for one machine."""

import os
import signal
import sys
from pathlib import Path

import pytest
import submitit

from mmal.benchmark.local_executor import LocalExecutor
from mmal.benchmark.plan import Plan
from mmal.benchmark.slurm_executor import SlurmExecutor, SlurmRun, job_settings
from mmal.errors import InputError
from mmal.fileio.text import write_json
from tests.slurm.cluster import wait_for
from tests.tools.small_digits import plan, selections


class Noted(SlurmExecutor):
    """Notes what it would submit."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen = []

    def _start(self, functions, name, wait_for):
        self.seen.append(([getattr(f, 'method', 'report') for f in functions], wait_for))
        number = len(self.seen)
        return [submitit.Job(self.plan.work_dir, f'{number}_{i}') for i in range(len(functions))]


@pytest.fixture
def three(tmp_path):
    return Plan(plan(tmp_path, 'dict(first={}, second={}, third={})'), tmp_path / 'work')


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """Put a squeue of our own first, which prints what it is told to."""
    def write(answer):
        (tmp_path / 'squeue').write_text(f'#!/bin/sh\n{answer}\n')
        (tmp_path / 'squeue').chmod(0o755)
        monkeypatch.setenv('PATH', f'{tmp_path}:{os.environ["PATH"]}')
    return write


def test_the_second_array_waits_for_the_first_and_the_report_for_both(three, squeue):
    squeue('true')
    jobs = Noted(three, job_settings([]), log=str)
    assert jobs.execute() == ['1_0', '2_0', '2_1']
    assert jobs.seen == [(['first'], []), (['second', 'third'], ['1_0']), (['report'], ['1_0', '2_0', '2_1'])]


def test_what_is_queued_is_not_submitted_again_and_is_waited_for(three, squeue):
    squeue('echo 7; echo 9_0')
    submitted = {'first/seed_1': '7', 'second/seed_1': '8_0', 'third/seed_1': '9_0', 'report': '10'}
    write_json(three.work_dir / 'jobs.json', submitted)
    jobs = Noted(three, job_settings([]), log=str)
    assert jobs.execute() == ['7', '9_0', '1_0']
    assert jobs.seen == [(['second'], ['7']), (['report'], ['7', '9_0', '1_0'])]
    squeue('echo 7; echo 9_0; echo 8_0; echo 10')
    write_json(three.work_dir / 'jobs.json', submitted)
    jobs = Noted(three, job_settings([]), log=str)
    assert jobs.execute() == ['7', '8_0', '9_0']
    assert not jobs.seen


def test_what_is_done_is_not_submitted(three, squeue):
    squeue('true')
    runs = three.runs()
    runs[0].mark(done=True)
    jobs = Noted(three, job_settings([]), log=str)
    jobs.execute()
    assert jobs.seen[0] == (['second', 'third'], [])
    for run in runs:
        run.mark(done=True)
    assert Noted(three, job_settings([]), log=str).execute() == []


def test_no_slurm_and_no_submitit_are_told(three, squeue, monkeypatch):
    squeue('echo no controller >&2; exit 1')
    with pytest.raises(InputError, match='squeue .* failed: no controller.*Call this where slurm works'):
        Noted(three, job_settings([])).execute()
    monkeypatch.setitem(sys.modules, 'submitit', None)
    with pytest.raises(InputError, match='needs submitit, which is not installed.*pip install submitit'):
        SlurmExecutor(three, job_settings([]))


def test_settings_are_submitits_or_go_to_sbatch():
    found = job_settings(['timeout=30', 'gpus=1', 'cpus=4', 'mem=16', 'partition=long', 'exclusive'])
    assert found == dict(timeout_min=30, gpus_per_node=1, cpus_per_task=4, mem_gb=16,
                         slurm_additional_parameters=dict(partition='long', exclusive=True))
    for wrong, message in (('time=5', 'Use timeout=MINUTES'), ('gpus=all', 'expected gpus=N'),
                           ('timeout=1:00:00', 'number of minutes'), ('array=1-5', 'set by al_compare.py itself')):
        with pytest.raises(InputError, match=message):
            job_settings([wrong])


def children(process: int) -> list[int]:
    return [int(n) for thread in Path(f'/proc/{process}/task').iterdir()
            for n in (thread / 'children').read_text().split()]


@pytest.mark.slow
def test_an_interrupted_job_is_started_again_and_ends_with_the_very_result(tmp_path, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    path = plan(tmp_path, "dict(isal={})")
    reference = Plan(path, tmp_path / 'reference')
    assert LocalExecutor(reference, 1, cores=1).execute() == []
    there = Plan(path, tmp_path / 'work')
    folder = there.runs()[0].folder
    executor = submitit.AutoExecutor(tmp_path / 'jobs', cluster='local')
    executor.update_parameters(timeout_min=10)
    job = executor.submit(SlurmRun(path, there.work_dir, there.runs()[0], cores=1))
    wait_for((folder / 'round_00' / 'selected.json').exists, 120, 'round 0')
    [task] = children(job._process.pid)
    [training] = children(task)
    os.kill(task, signal.SIGUSR2)  # as slurm at preemption and before the time limit
    job.result()
    assert there.runs()[0].read_status().done
    assert not Path(f'/proc/{training}').exists()
    assert 'Caught signal SIGUSR2' in job.stderr()
    assert selections(folder) == selections(reference.runs()[0].folder)
