"""A comparison plan as two job arrays, with what may happen to jobs."""

import subprocess
import sys
import time

import pytest

from mmal.fileio.text import read_json
from tests.slurm.cluster import wait_for
from tests.tools.small_digits import plan, selections
from tests.zoo_configs import ROOT

pytestmark = pytest.mark.slurm
METHODS = """dict(random=dict(sampler=dict(type='mmal.RandomSampler')), isal=dict(),
               entropy=dict(sampler=dict(type='mmal.EntropySampler')))"""


def call(cwd, env, *args):
    done = subprocess.run(list(map(str, args)), cwd=cwd, env=env, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def compare(cwd, env, *args):
    return call(cwd, env, sys.executable, ROOT / 'tools/al_compare.py', 'plan.py', '--work-dir', *args)


def test_interrupted_jobs_go_on_and_the_last_one_reports(slurm, tmp_path):
    plan(tmp_path, METHODS)
    args = ['work', '--executor', 'slurm', '--slurm-args', 'partition=debug', 'timeout=60', 'cpus=1', 'mem=1']
    assert '1 to be submitted, 2 after them' in compare(tmp_path, slurm, *args)
    jobs = read_json(tmp_path / 'work' / 'jobs.json')
    assert '3 queued; 0 to be submitted' in compare(tmp_path, slurm, *args)
    assert read_json(tmp_path / 'work' / 'jobs.json') == jobs
    assert '_' in jobs['isal/seed_1'], 'of an array'
    random, isal = (tmp_path / 'work' / name / 'seed_1' for name in ('random', 'isal'))

    wait_for((random / 'round_00' / 'selected.json').exists, 120, 'round 0 of random')
    call(tmp_path, slurm, 'scancel', '--signal=USR2', jobs['random/seed_1'])  # as before a time limit
    wait_for((isal / 'round_00' / 'selected.json').exists, 200, 'round 0 of isal')
    call(tmp_path, slurm, 'scancel', '--signal=TERM', jobs['isal/seed_1'])  # as at a preemption with a time of grace
    time.sleep(5)
    call(tmp_path, slurm, 'scontrol', 'requeue', jobs['isal/seed_1'])
    wait_for((tmp_path / 'work' / 'comparison.html').exists, 300, 'the report')

    states = {r['method']: r['state'] for r in read_json(tmp_path / 'work' / 'comparison.json')['runs']}
    assert states == dict(random='done', isal='done', entropy='done')
    logs = ''.join(p.read_text() for p in (tmp_path / 'work' / 'jobs').glob('*_log.*'))
    assert 'Caught signal SIGUSR2' in logs
    assert 'told to end. Waiting for slurm' in logs
    compare(tmp_path, slurm, 'reference', '--jobs', '2')
    for run in (random, isal):
        assert selections(run) == selections(tmp_path / 'reference' / run.relative_to(tmp_path / 'work'))
    assert '3 of them done, 0 queued; 0 to be submitted' in compare(tmp_path, slurm, *args)
