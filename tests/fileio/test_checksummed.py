import contextlib
import json

import pytest
from mmal.errors import InputError
from mmal.fileio.checksummed import (
    FORMAT,
    CorruptStateError,
    digest_file,
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
            assert read_checksummed(path) == dict(round=1, ids=['a', 'b'], seconds=0.25), 'white space may differ, no more'
        path.write_bytes(whole[:place])
        with pytest.raises(CorruptStateError, match='a.json'):
            read_checksummed(path)


@pytest.mark.parametrize(('text', 'message'), [
    ('', 'not JSON'), ('[1]', 'expected a JSON object'), (json.dumps(dict(format=FORMAT + 1)), 'newer mmal'),
    (json.dumps(dict(a=1, format=FORMAT, seal='0')), 'does not match its checksum')])
def test_what_cannot_be_read_is_named(tmp_path, text, message):
    (tmp_path / 'a.json').write_text(text)
    with pytest.raises(InputError, match=message):
        read_checksummed(tmp_path / 'a.json')


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
