"""Arrows point one way: import-linter's contracts, and packages that load no host library."""

import subprocess
import sys

import pytest

from tests.zoo_configs import ROOT

HOSTS = {'torch', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain'}


def test_packages_import_only_from_those_above_them():
    """The contracts of pyproject.toml."""
    lint = 'from importlinter.cli import lint_imports_command; lint_imports_command()'
    done = subprocess.run([sys.executable, '-c', lint], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'Contracts: 3 kept, 0 broken' in done.stdout


@pytest.mark.parametrize('module', ['mmal', 'mmal.pool', 'mmal.annotation', 'mmal.run', 'mmal.run.history',
                                    'mmal.run.recovery', 'mmal.benchmark.stats', 'mmal.benchmark.stats.tables'])
def test_no_host_library_is_loaded(module):
    code = f'import sys, {module}; print([m for m in sys.modules if m.split(".")[0] in {HOSTS}])'
    out = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == '[]'


def test_influence_loads_no_host_but_torch():
    code = f'import sys, mmal.influence; print([m for m in sys.modules if m.split(".")[0] in {HOSTS - {"torch"}}])'
    out = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == '[]'
