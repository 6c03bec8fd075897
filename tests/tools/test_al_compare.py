"""The command as a user runs it: two methods of which one fails, then the plan mended."""

import subprocess
import sys

from mmal.fileio.text import read_json
from tests.processes import program
from tests.zoo_configs import ROOT

PLAN = f"""
config = '{ROOT}/configs/resnet_digits_isal.py'
seeds = [1]
options = {{'train_cfg.initial': 20, 'train_cfg.query': 10, 'train_cfg.rounds': 1, 'train_cfg.max_iters': 2,
           'train_cfg.val_interval': 2,
           'model.backbone.base_channels': 4, 'model.backbone.stem_channels': 4, 'model.head.in_channels': 16,
           'param_scheduler': []}}
methods = dict(
    random=dict(sampler=dict(type='mmal.RandomSampler')),
    other=dict(sampler=dict(type='mmal.LearningLossSampler')))
"""


def compare(tmp_path, *args):
    command = [sys.executable, str(ROOT / 'tools' / 'al_compare.py'), 'plan.py', '--work-dir', 'work', *args]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)


def compare_again(tmp_path, *args):
    return program(ROOT / 'tools' / 'al_compare.py', 'plan.py', '--work-dir', 'work', *args, cwd=tmp_path)


def test_a_failed_run_is_shown_and_only_what_changed_is_run_again(tmp_path):
    (tmp_path / 'plan.py').write_text(PLAN)
    first = compare(tmp_path)
    assert first.returncode == 1
    assert 'random, seed 1: done. 1 of 2 rounds' in first.stdout
    assert 'other, seed 1: FAILED' in first.stdout
    assert '1 runs failed' in first.stderr
    states = {r['method']: r for r in read_json(tmp_path / 'work' / 'comparison.json')['runs']}
    assert [states[m]['state'] for m in ('random', 'other')] == ['done', 'failed']
    assert 'loss-prediction module' in states['other']['error']
    page = (tmp_path / 'work' / 'comparison.html').read_text()
    assert 'loss-prediction module' in page
    before = (tmp_path / 'work/random/seed_1/run.json').stat().st_mtime_ns
    (tmp_path / 'plan.py').write_text(PLAN.replace('LearningLoss', 'Entropy'))
    second = compare_again(tmp_path)
    assert second.returncode == 0, second.stdout + second.stderr
    assert '2 runs, 1 of them done' in second.stdout
    assert (tmp_path / 'work/random/seed_1/run.json').stat().st_mtime_ns == before
    comparison = read_json(tmp_path / 'work' / 'comparison.json')
    assert comparison['metric'] == 'accuracy/top1'
    assert {r['state'] for r in comparison['runs']} == {'done'}
    a, b = (read_json(tmp_path / 'work' / m / 'seed_1' / 'curve.json')[0] for m in ('random', 'other'))
    assert a['metrics'] == b['metrics'] | {k: v for k, v in a['metrics'].items() if k not in b['metrics']}
    listing = compare_again(tmp_path, '--dry-run')
    assert listing.stdout.count('done') == 2
    assert compare_again(tmp_path, '--report-only').returncode == 0


def test_a_file_that_cannot_be_written_is_one_message(tmp_path):
    (tmp_path / 'plan.py').write_text(PLAN)
    (tmp_path / 'work').write_text('in the way')
    found = compare_again(tmp_path)
    assert found.returncode == 1
    assert found.stderr.strip().splitlines()[-1].startswith('al_compare.py: cannot write or read ')
    assert 'work' in found.stderr.splitlines()[-1]
    assert found.stderr.rstrip().endswith('see to it and call it again.')
    assert 'Traceback' not in found.stderr
