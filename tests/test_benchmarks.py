"""Benchmarks are run by hand; that they still run is worth a moment."""

import json
import os
import re
import subprocess
import sys

import pytest

from benchmarks import coreset, frozen_features
from benchmarks.run import main, table, verdict
from benchmarks.scoring_pass import passes
from tests.zoo_configs import ROOT


@pytest.mark.slow
def test_seconds_and_memory_of_scoring_are_measured_in_each_process():
    found = passes(2, 8)
    assert len(found) == 2
    for seconds, mib, _ in found:
        assert seconds > 0
        assert 100 < mib < 20000


def test_memory_of_coreset_is_measured():
    peak, seconds = coreset.measure(600, labeled=50, chosen=20)
    assert 100 < peak < 20000
    assert seconds > 0


@pytest.mark.parametrize('name', ['FisherSampler', 'HerdingSampler'])
def test_memory_of_samplers_on_wide_features_is_measured(name):
    peak, seconds = frozen_features.measure(name, 600, labeled=50, chosen=20)
    assert 100 < peak < 20000
    assert seconds > 0


def test_a_ratio_is_judged_by_its_target():
    assert [verdict(r, t) for r, t in ((1.05, '<= 1.10'), (1.2, '<= 1.10'), (9.0, '>= 10'), (1.0, '0.95 to 1.05'),
                                       (None, '>= 10'), (3.0, 'none'))] == ['yes', 'NO', 'NO', 'yes', '-', '-']
    assert '| x | 1.50 | <= 2 | yes | 5 |' in table([dict(name='x', ratio=1.5, target='<= 2', n=5)])


@pytest.mark.slow
def test_what_is_measured_on_a_gpu_runs_small_on_a_processor(tmp_path):
    command = [sys.executable, '-m', 'benchmarks.run', '--small', '-n', '1', '--out', str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ, OMP_NUM_THREADS='1'), capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    records = json.loads((tmp_path / 'results.json').read_text())
    assert {record['part'] for record in records} == {'scoring', 's_test', 'processes'}
    assert all(record['ratio'] > 0 for record in records)
    assert all(record['commit'] and record['command'] for record in records)
    table_lines = (tmp_path / 'results.md').read_text().splitlines()
    assert 'benchmarks.run --small' in table_lines[0]
    assert not [line for line in table_lines if '| NO |' in line], 'nothing is judged by figures of no meaning'
    assert sum(line.startswith('| ') for line in table_lines) == len(records) + 1


@pytest.mark.parametrize(('arguments', 'message'), [
    (['--small'], 'expected --out FOLDER'),
    (['--only', 's_test'], 'expected one of scoring, .*got s_test')])
def test_what_cannot_be_measured_is_refused(arguments, message, monkeypatch, capsys):
    """Small figures would replace the record, and s_test is measured on a GPU alone."""
    monkeypatch.setattr('sys.argv', ['run', *arguments])
    with pytest.raises(SystemExit):
        main()
    assert re.search(message, capsys.readouterr().err)


def test_gpu_memory_has_a_column_where_it_was_measured():
    record = dict(name='x', ratio=1.5, target='none', n=5)
    assert 'GPU' not in table([record])
    assert '| 5 |  | ours 700, predict 600 |' in table([dict(record, gpu_mib=dict(ours=700, predict=600))])
