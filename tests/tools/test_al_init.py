"""The command line and what it refuses; `tests/docs/test_commands.py` goes on from a project to its run."""

import logging
import shutil
import sys
from runpy import run_path

import pytest

from mmal.artifacts import read_csv
from tests.project.conftest import pictures  # noqa: F401  a fixture
from tests.zoo_configs import ROOT

INIT = ROOT / 'tools' / 'al_init.py'


@pytest.fixture
def call(monkeypatch, capfd, tmp_path):
    """Call it in this process; returns what it ended with (0, or a message), and what it printed."""
    def go(*args):
        monkeypatch.setattr(sys, 'argv', [INIT.name, *map(str, args)])
        monkeypatch.chdir(tmp_path)
        try:
            run_path(str(INIT), run_name='__main__')
            code = 0
        except SystemExit as e:
            code = e.code or 0
        finally:
            logging.getLogger().handlers.clear()
        return code, ''.join(capfd.readouterr())

    return go


def test_a_classifier_with_classes_from_a_file(call, pictures, tmp_path):  # noqa: F811
    (tmp_path / 'classes.txt').write_text('cat\ndog\n')
    shutil.copy(pictures / '03.png', pictures / 'copy.png')
    code, said = call(pictures, '--config', ROOT / 'configs/resnet_digits_isal.py', '--classes', 'classes.txt')
    assert code == 0
    assert said.strip().endswith('trains, and asks for the next labels; so on from 2')
    assert {r['part'] for r in read_csv(tmp_path / 'al_project/images.csv')} == {'pool', 'evaluation'}
    again, _ = call(pictures, '--config', ROOT / 'configs/resnet_digits_isal.py', '--classes', 'cat')
    assert 'al_init.py: --out al_project is not empty' in again


def test_what_cannot_work_is_one_message(call, pictures, tmp_path):  # noqa: F811
    digits = ROOT / 'configs/fcos_digits_isal.py'
    for args, message in (((pictures, '--config', digits), 'which classes? Give their names'),
                          ((pictures, '--config', 'no.py', '--classes', 'a'), '--config no.py: there is no such file'),
                          (('nowhere', '--config', digits, '--classes', 'a'), 'nowhere does not exist'),
                          ((pictures, '--config', digits, '--classes', 'a', '--task', 'classification'),
                           'is for detection')):
        code, _ = call(*args)
        assert f'al_init.py: {message}' in code or message in code
        assert not (tmp_path / 'al_project').exists()
    assert call(pictures, '--config', digits, '--query', '0')[0] == 2
