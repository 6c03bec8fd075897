"""Each shell command of the README and of the pages for beginners is run, or it is said here what runs it."""

import os
import re
import runpy
import shlex
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT, commands
from tests.tools.small_digits import OPTIONS

README = ROOT / 'README.md'
QUICK_START = ROOT / 'docs' / 'quick_start.md'
CUSTOM = ('python tools/al_train.py configs/fcos_custom_isal.py --work-dir work_dirs/mine --cfg-options '
          'data_root=/path/to/folder train_cfg.initial=100 train_cfg.query=50 train_cfg.rounds=5')
RANDOM = ('python tools/al_train.py configs/resnet_digits_isal.py --work-dir work_dirs/random{} --cfg-options '
          'train_cfg.sampler.type=mmal.RandomSampler')
SMALL = [*OPTIONS, 'train_cfg.rounds=1']

# command: how. ('run', more arguments, exit status, what it prints); of a make target, the last line of its recipe is
# run. ('there', file, pattern): CI, the set-up or another test runs it, as this pattern in the file says.
TABLE = {
    'make demo': ('there', 'tests/configs/test_configs.py', r"planned\('fcos_digits_isal\.py'"),
    'make test': ('there', '.ci/run', '^make test$'),
    'pip install -e .': ('there', 'tools/setup_env.sh', r'^pip install .* -e \.$'),
    'python tools/check_env.py': ('run', [], 0, 'torch'),
    'python tools/al_train.py configs/fcos_coco_isal.py --dry-run':
        ('run', [], 2, 'PROBLEM: Annotation file not found: data/coco/annotations/instances_train2017.json'),
    CUSTOM: ('run', ['train_cfg.initial=6', 'train_cfg.query=4', 'val_dataloader.dataset.pipeline.1.scale=(128,128)',
                     '--dry-run'], 0, 'pool: +14 images, 2 classes; 0 files missing'),
    'python tools/al_compare.py configs/plans/cifar10.py --dry-run': ('run', [], 0, 'random'),
    'make demo-classification': ('run', ['--cfg-options', *SMALL], 0, 'The learning curve'),
    'head -4 work_dirs/demo-classification/round_00/scores.csv':
        ('run', [], 0, '^id,influence,pseudo_boxes,rank,selected'),
    RANDOM.format(''): ('run', SMALL, 0, 'The learning curve'),
    'python tools/al_compare.py docs/results/digits/plan.py --dry-run': ('run', [], 0, 'badge'),
    RANDOM.format(' --resume') + ' train_cfg.rounds=6': ('run', [*OPTIONS, 'train_cfg.rounds=2'], 0, '^ +1 +30 '),
}


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """A folder that looks like the repository's root, for what the commands write."""
    folder = tmp_path_factory.mktemp('root')
    for name in ('configs', 'docs', 'tools', 'Makefile'):
        (folder / name).symlink_to(ROOT / name)
    return folder


def words_of(command: str) -> list[str]:
    """The words of a command; of a make target, those of its recipe's last line."""
    if not command.startswith('make '):
        return shlex.split(command)
    env = {k: v for k, v in os.environ.items() if not k.startswith('MAKE') and k != 'MFLAGS'}
    out = subprocess.run([*command.split(), '-n', 'PYTHON=python'], cwd=ROOT, capture_output=True, text=True, env=env,
                         check=True).stdout
    return shlex.split(re.sub(r'^PYTHONPATH=\S* ', '', out.strip().split('\n')[-1]))


def execute(words: list[str]) -> int:
    """Run a command; a Python program in this process, which has imported what takes long."""
    if words[0] != 'python':
        return subprocess.run(words, check=False).returncode
    argv, env = sys.argv, dict(os.environ)
    sys.argv = words[1:]
    try:
        runpy.run_path(words[1], run_name='__main__')
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    finally:
        sys.argv = argv
        os.environ.clear()
        os.environ.update(env)
    return 0


@pytest.fixture
def check(place, dataset, monkeypatch, capfd):
    """Run a command of the table, made small, and compare its end with the table."""
    def run(command):
        _, more, status, pattern = TABLE[command]
        monkeypatch.chdir(place)
        capfd.readouterr()
        ended = execute([*(w.replace('/path/to/folder', str(dataset)) for w in words_of(command)), *more])
        said = ''.join(capfd.readouterr())
        assert ended == status, said[-3000:]
        assert re.search(pattern, said, re.MULTILINE), said[-3000:]

    return run


@pytest.mark.parametrize('page', [README, QUICK_START], ids=lambda p: p.name)
def test_every_command_is_in_the_table(page):
    assert commands(page)
    assert not [c for c in commands(page) if c not in TABLE]


def test_the_table_has_no_more_than_that():
    assert set(TABLE) == {*commands(README), *commands(QUICK_START)}


@pytest.mark.parametrize('command', [c for c, how in TABLE.items() if how[0] == 'there'])
def test_what_is_run_elsewhere_is_run_there(command):
    _, file, pattern = TABLE[command]
    found = re.search(pattern, (ROOT / file).read_text(), re.MULTILINE)
    assert found
    for config in [w for w in words_of(command) if w.startswith('configs/')]:
        assert os.path.basename(config) in found[0]


@pytest.mark.parametrize('command', [c for c in commands(README) if TABLE.get(c, 'there')[0] == 'run'])
def test_commands_of_the_readme(command, check):
    check(command)


def test_the_quick_start_from_top_to_bottom(check):
    for command in commands(QUICK_START):
        check(command)
