import contextlib
import hashlib
import json

import pytest

from mmal.errors import InputError
from mmal.fileio.checksummed import (
    FORMAT,
    CorruptStateError,
    digest_bytes,
    digest_file,
    digest_files,
    find_corruption,
    read_checksummed,
    write_checksummed,
)


def test_what_is_written_is_read(tmp_path):
    write_checksummed(tmp_path / 'a.json', dict(x=[1, 2.5, 'é'], y=None))
    assert read_checksummed(tmp_path / 'a.json') == dict(x=[1, 2.5, 'é'], y=None)


def test_every_flipped_bit_and_every_truncation_is_seen(tmp_path):
    path = tmp_path / 'a.json'
    write_checksummed(path, dict(round=1, ids=['a', 'b'], seconds=0.25))
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1:])
        with contextlib.suppress(InputError):
            data = read_checksummed(path)
            assert data == dict(round=1, ids=['a', 'b'], seconds=0.25), 'white space may differ, no more'
        path.write_bytes(whole[:place])
        with pytest.raises(CorruptStateError, match='a.json'):
            read_checksummed(path)


@pytest.mark.parametrize(('text', 'message'), [
    ('', 'not JSON'), ('[1]', 'expected a JSON object'), (json.dumps(dict(format=FORMAT + 1)), 'newer mmal'),
    (json.dumps(dict(a=1, format=FORMAT, seal='0')), 'does not match its checksum'),
    ('{"a": 1e999, "seal": "0"}', 'does not match its checksum')])
def test_what_cannot_be_read_is_named(tmp_path, text, message):
    (tmp_path / 'a.json').write_text(text)
    with pytest.raises(InputError, match=message):
        read_checksummed(tmp_path / 'a.json')


@pytest.mark.parametrize('data', [dict(a=1), dict(a=1, format=FORMAT), dict(a=1, format=0)])
def test_a_file_without_its_checksum_is_damaged(tmp_path, data):
    (tmp_path / 'a.json').write_text(json.dumps(data))
    with pytest.raises(CorruptStateError, match=r'a\.json is damaged: it has no checksum.*Put back a whole copy'):
        read_checksummed(tmp_path / 'a.json')


def test_what_is_written_never_changes(tmp_path):
    write_checksummed(tmp_path / 'a.json', dict(x=[1, 'é']))
    data = dict(x=[1, 'é'], format=2)
    seal = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
    assert (tmp_path / 'a.json').read_text() == json.dumps(dict(x=[1, 'é'], format=2, seal=seal), indent=1)


def test_large_files_are_digested_under_python_3_10_too(tmp_path, monkeypatch):
    monkeypatch.delattr(hashlib, 'file_digest', raising=False)
    content = bytes(range(256)) * 5000
    (tmp_path / 'a').write_bytes(content)
    assert digest_file(tmp_path / 'a') == hashlib.sha256(content).hexdigest()


def test_files_are_described_by_the_first_name_and_one_checksum(tmp_path):
    paths = [tmp_path / name for name in 'ab']
    for path in paths:
        path.write_text(path.name)
    first, second = (digest_bytes(name.encode()) for name in ('a', 'b'))
    assert digest_files(paths[:1]) == f'a, sha256 {first}'
    assert digest_files(paths) == f'a and 1 more, sha256 {digest_bytes((first + second).encode())}'


def test_missing(tmp_path):
    with pytest.raises(CorruptStateError, match='is missing'):
        read_checksummed(tmp_path / 'a.json')


def test_faults_of_other_files(tmp_path):
    path = tmp_path / 'x.bin'
    path.write_bytes(b'abc')
    good = digest_file(path)
    assert find_corruption(path, good) is find_corruption(path, ['0', good]) is find_corruption(path, None) is None
    assert 'is damaged' in find_corruption(path, '0')
    path.unlink()
    assert 'is missing' in find_corruption(path, good)
