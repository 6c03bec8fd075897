"""What the built distributions hold: tools and configs for `mim`, as files, also where they are built from an sdist."""

import shutil
import subprocess
import sys
import tarfile
import zipfile

import yaml

from tests.zoo_configs import ROOT

BUILD = 'import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))'
NEEDED = ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'README.md', 'CHANGELOG.md', 'LICENSE', 'model-index.yml',
          'requirements', 'mmal', 'tools', 'configs')


def build(what, source, out):
    done = subprocess.run([sys.executable, '-c', BUILD, what, str(out)], cwd=source, capture_output=True, text=True,
                          check=True)
    return out / done.stdout.strip().split('\n')[-1]


def test_a_wheel_made_from_the_sdist_has_what_mim_looks_for(tmp_path):
    source = tmp_path / 'source'
    source.mkdir()
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns('*.part'))
        else:
            shutil.copy(ROOT / name, source / name)
    with tarfile.open(build('build_sdist', source, tmp_path)) as sdist:
        assert not [m.name for m in sdist.getmembers() if m.issym() or m.islnk()]
        sdist.extractall(tmp_path / 'sdist')
    with zipfile.ZipFile(build('build_wheel', next((tmp_path / 'sdist').iterdir()), tmp_path)) as wheel:
        names = set(wheel.namelist())
    for folder in ('tools', 'configs'):
        files = [p.relative_to(ROOT) for p in (ROOT / folder).rglob('*') if p.suffix in ('.py', '.yml', '.sh')]
        assert {f'mmal/.mim/{f}' for f in files} <= names
    assert {'mmal/.mim/model-index.yml', 'mmal/.mim/tools/train.py', 'mmal/benchmark/isal_paper/paper_tables.json',
            'mmal/project/config.py.j2', 'mmal/reporting/templates/report.html.j2'} <= names
    assert not [n for n in names if '__pycache__' in n or n.endswith('.pyc')]
    assert not {n.split('/')[0] for n in names} - {'mmal'} - {n.split('/')[0] for n in names if '.dist-info/' in n}


def test_every_config_stands_in_the_model_index():
    parts = [yaml.safe_load((ROOT / p).read_text()) for p in
             yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']]
    models = [m for part in parts for m in part['Models']]
    configs = {str(p.relative_to(ROOT)) for f in ('configs', 'configs/ablations') for p in (ROOT / f).glob('*.py')}
    assert sorted(m['Config'] for m in models) == sorted(configs)
    assert {m['In Collection'] for m in models} == {c['Name'] for part in parts for c in part['Collections']}
    assert all((ROOT / c['README']).exists() for part in parts for c in part['Collections'])


def test_mim_train_is_al_train():
    done = subprocess.run([sys.executable, str(ROOT / 'mmal' / '.mim' / 'tools' / 'train.py'), 'nowhere.py'],
                          capture_output=True, text=True, check=False)
    assert 'al_train.py: Config file not found' in done.stderr
