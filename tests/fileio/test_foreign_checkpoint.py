"""A checkpoint of another program: its weights are read, and no code in it runs."""

import os
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim import OneCycleLR

from mmal.errors import InputError
from mmal.fileio.foreign_checkpoint import read_foreign_checkpoint
from mmal.fileio.tensors import SWITCH, forbid_unpickling


class Hostile:

    def __init__(self, call, *args):
        self.call = call
        self.args = args

    def __reduce__(self):
        return self.call, self.args


def test_what_trainings_keep_beside_the_weights_does_no_harm(tmp_path):
    weights = OrderedDict(w=torch.arange(3.0), half=torch.ones(2, dtype=torch.float16), n=torch.tensor(7))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    schedule = OneCycleLR(optimizer, eta_max=1.0, total_steps=5)
    hub = dict(log_scalars=dict(loss=HistoryBuffer([1.0], [1])), values=np.arange(3), one=np.float64(2))
    meta = dict(epoch=1, dtype=torch.float32, size=torch.Size([2]), seen={1, 2}, milestones=Counter([3]))
    content = dict(
        state_dict=weights, optimizer=optimizer.state_dict(), param_schedulers=[schedule.state_dict()],
        message_hub=hub, meta=meta)
    for new_format in (True, False):
        torch.save(content, tmp_path / 'x.pth', _use_new_zipfile_serialization=new_format)
        read = read_foreign_checkpoint(tmp_path / 'x.pth')
        assert read['state_dict']['w'].tolist() == [0, 1, 2]
        assert read['state_dict']['half'].dtype == torch.float16
        assert read['meta'] == content['meta']
        assert read['optimizer']['param_groups'][0]['lr'] == optimizer.state_dict()['param_groups'][0]['lr']


@pytest.mark.parametrize('place', ['meta', 'state_dict'])
@pytest.mark.parametrize('new_format', [True, False])
@pytest.mark.parametrize('hostile', [
    Hostile(os.system, 'touch ran'), Hostile(os.mkdir, 'ran'), Hostile(eval, 'open("ran", "w")'),
    Hostile(exec, 'open("ran", "w")')])
def test_code_is_refused_and_does_not_run(tmp_path, monkeypatch, hostile, place, new_format):
    monkeypatch.chdir(tmp_path)
    content = dict(state_dict=dict(w=torch.ones(2)), meta={})
    content[place]['x'] = hostile
    torch.save(content, 'evil.pth', _use_new_zipfile_serialization=new_format)
    with pytest.raises(InputError, match=r'evil.pth holds .* \(it holds \w+\.\w+\), which may be code; it was not run'):
        read_foreign_checkpoint('evil.pth')
    assert not os.path.exists('ran')


def test_a_torchscript_program_is_refused(tmp_path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(tmp_path / 'x.pth'))
    with pytest.raises(InputError, match=r'x.pth holds .* \(it holds a TorchScript program\), .* it was not run'):
        read_foreign_checkpoint(tmp_path / 'x.pth')


def test_functions_of_the_hosts_and_numpy_are_not_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(dict(x=Hostile(np.save, 'ran.npy', (1, 2))), 'numpy.pth')
    assert type(read_foreign_checkpoint('numpy.pth')['x']).__name__ == '_Inert'
    assert not os.path.exists('ran.npy')


def test_the_switch_of_the_process_is_as_before(tmp_path, monkeypatch):
    monkeypatch.setenv(SWITCH, '1')
    forbid_unpickling()
    torch.save(dict(w=torch.ones(1)), tmp_path / 'x.pth')
    read_foreign_checkpoint(tmp_path / 'x.pth')
    assert os.environ[SWITCH] == '1'


def test_what_is_no_checkpoint_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match='none.pth: no such file'):
        read_foreign_checkpoint(tmp_path / 'none.pth')
    (tmp_path / 'lfs.pth').write_text('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n')
    with pytest.raises(InputError, match='lfs.pth is not the checkpoint but a pointer .*git lfs pull'):
        read_foreign_checkpoint(tmp_path / 'lfs.pth')
    torch.save(dict(w=torch.ones(1000)), tmp_path / 'cut.pth')
    content = (tmp_path / 'cut.pth').read_bytes()
    for text in (content[:2000], b'<html>404</html>', b''):
        (tmp_path / 'cut.pth').write_bytes(text)
        with pytest.raises(InputError, match='cut.pth is no checkpoint, or a damaged one'):
            read_foreign_checkpoint(tmp_path / 'cut.pth')
    torch.save([torch.ones(1)], tmp_path / 'list.pth')
    with pytest.raises(InputError, match='found a list'):
        read_foreign_checkpoint(tmp_path / 'list.pth')
