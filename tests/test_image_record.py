import os
from pathlib import Path

import pytest

from mmal.errors import InputError
from mmal.image_record import describe, require_unchanged, write_record


@pytest.fixture
def paths(tmp_path):
    found = {}
    for n in range(3):
        (tmp_path / f'{n}.png').write_bytes(bytes([n]) * 10)
        found[str(n)] = str(tmp_path / f'{n}.png')
    write_record(tmp_path, {i: describe(p) for i, p in found.items()})
    return found


def test_the_same_files_pass_even_with_another_time(tmp_path, paths):
    require_unchanged(tmp_path, paths)
    os.utime(paths['1'], (1, 1))
    require_unchanged(tmp_path, paths)


@pytest.mark.parametrize('harm', [
    lambda p: Path(p).write_bytes(b'another'), lambda p: Path(p).write_bytes(b'x' * 10), os.remove])
def test_another_content_is_named(tmp_path, paths, harm):
    harm(paths['2'])
    with pytest.raises(InputError, match=r'1 images of the pool have changed or gone .*2\.png'):
        require_unchanged(tmp_path, paths)


def test_without_a_record_nothing_is_asked(tmp_path):
    require_unchanged(tmp_path, {'1': '/nowhere'})
