"""A hostile file must not run, whoever reads it."""

import os
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import _load_checkpoint

from mmal.errors import InputError
from mmal.fileio.tensors import SWITCH, forbid_unpickling

# Where torch cannot be told of classes that are harmless, mmengine reads by mmal's own list.
REFUSED_BY_MMENGINE = pickle.UnpicklingError if hasattr(torch.serialization, 'add_safe_globals') else InputError


def by_mmengine(path):
    return _load_checkpoint(str(path), map_location='cpu')


class Hostile:

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path, )


@pytest.fixture(autouse=True)
def _restored():
    before = os.environ.get(SWITCH)
    yield
    os.environ.pop(SWITCH, None)
    if before is not None:
        os.environ[SWITCH] = before


@pytest.fixture
def hostile(tmp_path):
    torch.save(dict(state_dict=dict(w=torch.ones(2)), meta=Hostile(str(tmp_path / 'ran'))), tmp_path / 'evil.pth')
    return tmp_path / 'evil.pth'


@pytest.mark.parametrize('read', [
    lambda p: torch.load(p), lambda p: torch.load(p, weights_only=False),
    by_mmengine])
def test_code_in_a_checkpoint_does_not_run(hostile, tmp_path, read):
    forbid_unpickling()
    with pytest.raises(pickle.UnpicklingError if read is not by_mmengine else REFUSED_BY_MMENGINE):
        read(hostile)
    assert not (tmp_path / 'ran').exists()


def test_it_would_run_where_that_is_asked_for(hostile, tmp_path):
    forbid_unpickling()
    forbid_unpickling(unsafe=True)
    torch.load(hostile, weights_only=False)
    assert (tmp_path / 'ran').exists()


def test_what_mmengine_saves_is_read(tmp_path):
    forbid_unpickling()
    content = dict(message_hub=dict(log=HistoryBuffer([1.0], [1])), values=np.arange(3), scalar=np.float64(2))
    torch.save(content, tmp_path / 'x.pth')
    values = _load_checkpoint(str(tmp_path / 'x.pth'))['values']
    if hasattr(torch.serialization, 'add_safe_globals'):  # without it the file is read, and arrays are left out
        assert values.tolist() == [0, 1, 2]
