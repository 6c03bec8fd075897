"""Detectors that read a checkpoint when they are built (knowledge distillation) read it under the same rule."""

import runpy
import sys

import pytest
import torch

from mmal.fileio.tensors import SWITCH
from tests.zoo_configs import ROOT


class Hostile:

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        import os
        return os.mkdir, (self.path, )


@pytest.fixture
def distilling(make_cfg, tmp_path):
    """Config file of a detector whose teacher's weights run code when they are unpickled."""
    torch.save(dict(state_dict={}, meta=Hostile(str(tmp_path / 'ran'))), tmp_path / 'teacher.pth')
    cfg = make_cfg(rounds=1, max_epochs=1)
    cfg.model = dict(cfg.model, type='KnowledgeDistillationSingleStageDetector', teacher_ckpt=f'{tmp_path}/teacher.pth',
                     teacher_config=dict(model=cfg.model.to_dict()))
    cfg.dump(tmp_path / 'distilling.py')
    return tmp_path / 'distilling.py'


@pytest.mark.parametrize('more', [['--dry-run'], []], ids=['dry run', 'run'])
def test_a_teacher_s_checkpoint_runs_no_code(distilling, tmp_path, monkeypatch, more):
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.setattr(sys, 'argv', ['al_train.py', str(distilling), '--work-dir', f'{tmp_path}/run', *more])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / 'tools' / 'al_train.py'), run_name='__main__')
    assert not (tmp_path / 'ran').exists()
    assert '--unsafe-checkpoints' in str(end.value)
