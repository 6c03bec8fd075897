"""An environment for GPU tests from a folder of wheels: what would be run, without running it."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.zoo_configs import ROOT

OF_MAKE = ('MAKEFLAGS', 'MAKELEVEL', 'MFLAGS', 'MAKEOVERRIDES', 'PYTHON', 'WHEELS')
"""What a make that runs these tests hands on."""


def script(name, *args, **env):
    return subprocess.run([str(ROOT / 'tools' / name), *map(str, args)], capture_output=True, text=True, check=False,
                          env=dict(os.environ, BASE_PYTHON=sys.executable, PYTHON=sys.executable, **env))


@pytest.fixture
def wheels(tmp_path):
    """A folder with the names of some wheels, which are empty."""
    folder = tmp_path / 'wheels'
    folder.mkdir()
    for name in ('torch-2.12.1-cp311-cp311-linux_x86_64.whl', 'onedl_mmcv-2.3.6-cp311-cp311-linux_x86_64.whl'):
        (folder / name).touch()
    return folder


def test_nothing_is_installed_from_anywhere_but_the_folder(wheels):
    done = script('gpu_env.sh', wheels, '--dry-run')
    assert done.returncode == 0, done.stderr
    installs = [line for line in done.stdout.splitlines() if ' install ' in line]
    assert len(installs) >= 4
    assert all(f'--no-index --find-links {wheels}' in line for line in installs)
    assert f'--only-binary onedl-mmcv {_mmcv()}' in done.stdout
    assert all(f'requirements/{name}.txt' in done.stdout for name in ('torch', 'onedl', 'runtime', 'gpu'))


def _mmcv():
    lines = (ROOT / 'requirements' / 'onedl.txt').read_text().splitlines()
    return next(line for line in lines if line.startswith('onedl-mmcv'))


def test_sources_of_mmcv_are_compiled_where_there_is_no_wheel(wheels):
    next(wheels.glob('onedl_mmcv*')).unlink()
    done = script('gpu_env.sh', wheels, '--dry-run')
    assert done.returncode == 0, done.stderr
    assert '--only-binary' not in done.stdout
    assert _mmcv() in done.stdout


@pytest.mark.parametrize(('harm', 'message'), [
    (lambda folder: (folder / 'python.txt').write_text('3.7.2'), 'are for Python 3.7.2, .*BASE_PYTHON'),
    (lambda folder: next(folder.glob('torch*')).unlink(), 'has no wheel of torch'),
    (lambda folder: shutil.rmtree(folder), 'no folder .*make gpu-wheels WHEELS=')])
def test_a_folder_that_cannot_work_is_told(wheels, harm, message):
    harm(wheels)
    done = script('gpu_env.sh', wheels, '--dry-run')
    assert done.returncode == 1
    assert re.search(message, done.stderr), done.stderr


def test_what_is_gathered_is_what_is_installed(tmp_path):
    done = script('gpu_wheels.sh', tmp_path / 'wheels', '--dry-run', CUDA_HOME='/nowhere', PATH='/usr/bin:/bin')
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / 'wheels').exists()
    assert all(f'requirements/{name}.txt' in done.stdout for name in ('build', 'torch', 'runtime', 'gpu'))
    assert f'--no-binary onedl-mmcv {_mmcv()}' in done.stdout
    assert 'compiled on the GPU machine' in done.stdout


@pytest.mark.parametrize(('variables', 'python'), [
    (['WHEELS=some/folder'], '/.venv-gpu/bin/python'), (['PYTHON=/my/python'], '/my/python'),
    ([], '/.venv/bin/python')])
def test_the_targets_check_for_a_gpu_first_and_use_the_environment_they_are_told(variables, python):
    env = {key: value for key, value in os.environ.items() if key not in OF_MAKE}
    for target, program in (('test-gpu', "-m pytest -m 'not slow' tests/gpu tests/emulation"),
                            ('bench-gpu', '-m benchmarks.run --device cuda')):
        done = subprocess.run(['make', '-n', target, *variables], cwd=ROOT, env=env, capture_output=True, text=True,
                              check=True)
        check, run = done.stdout.splitlines()[-2:]
        assert check.endswith(f'{python} tools/check_env.py --gpu')
        assert f'{python} {program}' in run
        assert ('tools/gpu_env.sh some/folder' in done.stdout) == bool(variables and 'WHEELS' in variables[0])
