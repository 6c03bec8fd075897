"""Arrows point one way: checked on the imports themselves, and in a fresh interpreter."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mmal

PACKAGE = Path(mmal.__file__).parent
HOSTS = {'mmengine', 'mmcv', 'mmdet', 'mmpretrain'}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield '.' * node.level + (node.module or '')


def names(folder, pattern='*.py'):
    return {path: set(imported(path)) for path in (PACKAGE / folder).rglob(pattern)}


def test_influence_imports_nothing_of_ours_and_no_host():
    for path, modules in names('influence').items():
        tops = {m.split('.')[0] for m in modules if not m.startswith('.')}
        assert not tops & (HOSTS | {'mmal'}), path
        depth = len(path.relative_to(PACKAGE / 'influence').parts)
        assert not any(m.startswith('.' * (depth + 1)) for m in modules), path


def test_pool_is_standard_library_only():
    modules = set(imported(PACKAGE / 'pool.py'))
    assert {m.split('.')[0] for m in modules} <= set(sys.stdlib_module_names)


def test_only_tasks_import_mmdet_or_mmpretrain():
    for path, modules in names('.').items():
        if 'tasks' not in path.relative_to(PACKAGE).parts and path.name != 'check_env.py':
            assert not {m.split('.')[0] for m in modules} & {'mmdet', 'mmpretrain', 'mmcv'}, path


@pytest.mark.parametrize('module', ['mmal', 'mmal.influence', 'mmal.pool', 'mmal.datasets.digit_scenes'])
def test_no_host_library_is_loaded(module):
    code = f'import sys, {module}; print([m for m in sys.modules if m.split(".")[0] in {HOSTS}])'
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == '[]'


def test_files_stay_small():
    for path in PACKAGE.rglob('*.py'):
        assert len(path.read_text().splitlines()) <= 260, path
    for path in (PACKAGE.parent / 'tools').glob('*.py'):
        assert len(path.read_text().splitlines()) < 100, path
