"""What is installed from a wheel works without the checkout: the command, the configs, a run and a comparison."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from mmal.fileio.text import read_json
from tests.project.conftest import picture
from tests.tools.small_digits import OPTIONS
from tests.zoo_configs import ROOT

SOURCES = ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'README.md', 'model-index.yml', 'requirements', 'mmal', 'tools',
           'configs')
PLAN = """
config = {config!r}
seeds = [1]
options = {options!r}
methods = dict(random=dict(sampler=dict(type='mmal.RandomSampler')),
               entropy=dict(sampler=dict(type='mmal.EntropySampler')))
"""


def run(command, **how):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=300, **how)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """A folder that the wheel is installed into."""
    place = tmp_path_factory.mktemp('wheel')
    (place / 'source').mkdir()
    for name in SOURCES:
        copy = shutil.copy if (ROOT / name).is_file() else shutil.copytree
        how = {} if (ROOT / name).is_file() else dict(symlinks=True, ignore=shutil.ignore_patterns('__pycache__'))
        copy(ROOT / name, place / 'source' / name, **how)
    pip = [sys.executable, '-m', 'pip', '--disable-pip-version-check', '-q']
    run([*pip, 'wheel', '--no-deps', '--no-build-isolation', '-w', place, place / 'source'])
    [wheel] = place.glob('*.whl')
    run([*pip, 'install', '--no-deps', '--target', place / 'installed', wheel])
    shutil.rmtree(place / 'source')
    return place / 'installed'


@pytest.fixture
def call(installed, tmp_path):
    """Call a program in an empty folder, with the packages of the wheel and without the checkout."""
    env = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'} | dict(
        PYTHONPATH=str(installed), OMP_NUM_THREADS='1')

    def go(*command):
        return run(command, cwd=tmp_path, env=env)

    return go


@pytest.fixture
def mmal(call, installed):
    """Call the command `mmal`."""
    return lambda *arguments: call(installed / 'bin' / 'mmal', *arguments)


def test_the_command_comes_with_its_package_and_lists_what_it_can_do(mmal, call, installed):
    assert call(sys.executable, '-c', 'import mmal; print(mmal.__file__)').strip() == f'{installed}/mmal/__init__.py'
    assert 'train a detector or a classifier' in mmal('--help')
    assert '13 %' in mmal('paper-claims')


def test_the_first_round_of_the_demo(mmal, installed, tmp_path):
    mmal('train', installed / 'mmal/.mim/configs/fcos_digits_isal.py', '--work-dir', 'demo', '--cfg-options',
         'train_cfg.initial=8', 'train_cfg.query=4', 'train_cfg.rounds=2', 'train_cfg.max_epochs=1',
         'model.backbone.base_channels=8', 'model.backbone.stem_channels=8', 'model.neck.in_channels=[16,32,64]',
         'model.test_cfg.score_thr=0.001', 'train_dataloader.persistent_workers=False',
         *(f'{name}_dataloader.num_workers=0' for name in ('train', 'val', 'test')),
         *(f'{name}_dataloader.dataset.indices=16' for name in ('val', 'test')))
    assert len(read_json(tmp_path / 'demo/round_00/selected.json')) == 4
    assert 'coco/bbox_mAP' in read_json(tmp_path / 'demo/curve.json')[0]['metrics']
    assert (tmp_path / 'demo/report.html').exists()


def test_a_project_from_a_folder_of_images(mmal, installed, tmp_path):
    for n in range(12):
        picture(tmp_path / 'photos' / f'{n}.png', n)
    said = mmal('init', 'photos', '--config', installed / 'mmal/.mim/configs/resnet_digits_isal.py', '--classes', 'cat',
                'dog')
    assert '11; 10 to label first' in said
    assert "classes = ('cat', 'dog')" in (tmp_path / 'al_project/config.py').read_text()


@pytest.mark.slow
def test_a_comparison_of_two_runs(mmal, installed, tmp_path):
    options = {k: int(v) for k, v in (o.split('=') for o in OPTIONS)} | {'train_cfg.rounds': 1}
    config = f'{installed}/mmal/.mim/configs/resnet_digits_isal.py'
    (tmp_path / 'plan.py').write_text(PLAN.format(config=config, options=options))
    said = mmal('compare', 'plan.py', '--work-dir', 'work')
    assert 'entropy, seed 1: done. 2 of 2 rounds' in said
    assert [r['state'] for r in read_json(tmp_path / 'work/comparison.json')['runs']] == ['done', 'done']
    assert (tmp_path / 'work/comparison.html').exists()


@pytest.mark.slow
def test_installing_it_changes_no_other_package(installed, tmp_path):
    """Into an environment that sees all packages of this one, from no index: what it needs is there as it is."""
    run([sys.executable, '-m', 'venv', tmp_path / 'env'])
    python = tmp_path / 'env/bin/python'
    own = run([python, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))']).strip()
    (Path(own) / 'packages_of_the_user.pth').write_text(sysconfig.get_path('purelib') + '\n')
    env = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}

    def other_packages():
        listed = run([python, '-m', 'pip', '--disable-pip-version-check', 'list', '--format', 'freeze'], env=env)
        return [line for line in listed.splitlines() if '==' in line and not line.startswith('mmal')]

    before = other_packages()
    assert any(line.startswith('torch==') for line in before)
    [wheel] = installed.parent.glob('*.whl')
    said = run([python, '-m', 'pip', '--disable-pip-version-check', 'install', '--no-index', wheel], env=env)
    assert 'Successfully installed mmal' in said
    assert other_packages() == before
