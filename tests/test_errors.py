import os
import pickle

import pytest
import torch

from mmal.errors import InputError, explained
from mmal.fileio.tensors import forbid_unpickling


class Hostile:

    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        return self.call, ('ran', )


@pytest.mark.parametrize('raised', [
    InputError('expected this, found that'), FileNotFoundError(2, 'No such file', 'x.json'),
    OSError(28, 'No space left on device', 'y.json'), pickle.UnpicklingError('GLOBAL os.system')])
def test_each_is_one_message(raised):
    with pytest.raises(SystemExit) as end, explained('tool.py'):
        raise raised
    assert end.value.code.startswith('\ntool.py: ')
    assert len(end.value.code.strip().splitlines()) <= 2
    assert (getattr(raised, 'filename', None) or raised.args[0]) in end.value.code


def test_how_to_go_on_is_the_program_s_own():
    for more, expected in (({}, 'go on by --resume.'), (dict(go_on='call it again'), 'see to it and call it again.')):
        with pytest.raises(SystemExit) as end, explained('tool.py', **more):
            raise OSError(28, 'No space left on device', 'y.json')
        assert end.value.code.endswith(expected)


@pytest.mark.parametrize('call', [print, os.system])
def test_code_in_a_checkpoint_is_named_in_two_lines(tmp_path, capsys, call):
    torch.save(dict(meta=Hostile(call)), tmp_path / 'evil.pth')
    forbid_unpickling()
    with pytest.raises(SystemExit) as end, explained('tool.py'):
        torch.load(tmp_path / 'evil.pth', weights_only=False)
    assert len(end.value.code.strip().splitlines()) == 2
    assert call.__name__ in end.value.code
    assert '--unsafe-checkpoints' in end.value.code
    assert 'ran' not in capsys.readouterr().out


def test_a_mistake_in_the_program_keeps_its_traceback():
    with pytest.raises(KeyError), explained('tool.py'):
        raise KeyError('x')
