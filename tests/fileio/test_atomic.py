import os
import stat
from pathlib import Path

import pytest
import torch

from mmal.fileio import atomic
from mmal.fileio.atomic import write_bytes
from mmal.fileio.tensors import load_tensors, save_tensors
from mmal.fileio.text import read_csv, read_json, write_csv, write_json


def test_files_come_back_as_written(tmp_path):
    write_json(tmp_path / 'new' / 'a.json', {'b': [1, 'x']})
    assert read_json(tmp_path / 'new' / 'a.json') == {'b': [1, 'x']}
    write_csv(tmp_path / 'a.csv', ['id', 'v'], [['x,"y', 1.5], [2, -1e-30]])
    assert read_csv(tmp_path / 'a.csv') == [{'id': 'x,"y', 'v': '1.5'}, {'id': '2', 'v': '-1e-30'}]
    save_tensors(tmp_path / 'a.pth', {'w': torch.arange(3.)})
    assert torch.equal(load_tensors(tmp_path / 'a.pth')['w'], torch.arange(3.))


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / 'a.json'
    write_json(path, 1)

    def no_space(*args):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', no_space)
    with pytest.raises(OSError, match='No space'):
        write_json(path, 2)
    assert read_json(path) == 1
    assert os.listdir(tmp_path) == ['a.json']


def test_written_files_are_readable_by_others(tmp_path):
    write_bytes(tmp_path / 'a', b'')
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(os.stat(tmp_path / 'a').st_mode) == 0o666 & ~mask


@pytest.mark.parametrize('mask', [0o022, 0o027, 0o077])
def test_the_umask_of_now_holds(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_bytes(tmp_path / 'a', b'')
        folder = atomic.make_partial_folder(tmp_path / 'b')
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(tmp_path / 'a').st_mode) == 0o666 & ~mask
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o777 & ~mask
    assert folder.parent == tmp_path
    assert atomic.PARTIAL_FILE.fullmatch(folder.name)


def test_a_temporary_name_that_is_taken_is_left_alone(tmp_path, monkeypatch):
    tokens = iter(['aaaaaaaa', 'bbbbbbbb'])
    monkeypatch.setattr(atomic.secrets, 'token_hex', lambda n: next(tokens))
    taken = tmp_path / '.a.aaaaaaaa.part'
    taken.write_text('another process')
    write_bytes(tmp_path / 'a', b'1')
    assert (tmp_path / 'a').read_bytes() == b'1'
    assert taken.read_text() == 'another process'


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match='JSON compliant'):
        write_json(tmp_path / 'a.json', float('nan'))


class Evil:

    def __reduce__(self):
        return os.mkdir, ('owned', )


def test_tensors_are_never_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({'w': Evil()}, 'evil.pth')
    with pytest.raises(Exception, match='weights_only'):
        load_tensors('evil.pth')
    assert not (tmp_path / 'owned').exists()


def test_what_a_kill_left_is_swept_up_and_nothing_else(tmp_path, monkeypatch):
    def killed(source, target):
        raise SystemExit

    theirs = [tmp_path / name for name in ('.lock', '.lock.original', '.coverage.hostname', 'a.json')]
    for path in theirs:
        path.write_text('')
    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, 'replace', killed)
        patch.setattr(atomic.Path, 'unlink', lambda self, missing_ok: None)
        with pytest.raises(SystemExit):
            atomic.write_bytes(tmp_path / 'b.json', b'1')
    assert len(list(tmp_path.iterdir())) == 5
    atomic.remove_partial_files(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(theirs)


def test_a_new_folder_is_synced_into_the_one_above(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(atomic, '_fsync', lambda path: synced.append(Path(path)))
    write_bytes(tmp_path / 'a' / 'b' / 'x', b'1')
    assert {tmp_path, tmp_path / 'a', tmp_path / 'a' / 'b'} <= set(synced)
