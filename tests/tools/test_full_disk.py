import errno
import os
import runpy
import sys

import pytest
from mmengine.config import Config

from tests.zoo_configs import ROOT


def test_a_work_dir_without_space_is_named(config_file, tmp_path, monkeypatch):
    def full(self, file=None):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Config, 'dump', full)
    monkeypatch.setattr(sys, 'argv', ['al_train.py', str(config_file), '--work-dir', str(tmp_path / 'run')])
    with pytest.raises(SystemExit, match=f'cannot write or read {tmp_path}/run: No space left on device'):
        runpy.run_path(str(ROOT / 'tools' / 'al_train.py'), run_name='__main__')
