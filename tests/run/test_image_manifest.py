import os
import shutil
from pathlib import Path

import pytest

from mmal.errors import InputError
from mmal.run.image_manifest import (
    require_others_unchanged,
    require_pool_unchanged,
    write_other_images,
    write_pool_images,
)
from mmal.utils.image_files import file_identity


@pytest.fixture
def paths(tmp_path):
    found = {}
    for n in range(3):
        (tmp_path / f'{n}.png').write_bytes(bytes([n]) * 10)
        found[str(n)] = str(tmp_path / f'{n}.png')
    write_pool_images(tmp_path, {i: file_identity(p) for i, p in found.items()})
    return found


def test_the_same_files_pass_even_with_another_time(tmp_path, paths):
    require_pool_unchanged(tmp_path, paths)
    os.utime(paths['1'], (1, 1))
    require_pool_unchanged(tmp_path, paths)


@pytest.mark.parametrize('harm', [
    lambda p: Path(p).write_bytes(b'another'), lambda p: Path(p).write_bytes(b'x' * 10), os.remove])
def test_another_content_is_named(tmp_path, paths, harm):
    harm(paths['2'])
    with pytest.raises(InputError, match=r'1 images of the pool have changed or gone .*2\.png'):
        require_pool_unchanged(tmp_path, paths)


def test_without_a_record_nothing_is_asked(tmp_path):
    require_pool_unchanged(tmp_path, {'1': '/nowhere'})
    require_others_unchanged(tmp_path, {'reference set': ['/nowhere']})


@pytest.fixture
def sets(tmp_path, paths):
    """Files in two folders, in two sets that share one."""
    (tmp_path / 'more').mkdir()
    more = str(tmp_path / 'more' / '0.png')
    shutil.copy(paths['0'], more)
    found = {'reference set': [paths['0'], more], 'evaluation set': [paths['0'], paths['1'], paths['0']]}
    write_other_images(tmp_path, {name: {p: file_identity(p) for p in files} for name, files in found.items()})
    return found


def test_others_are_named_with_their_set(tmp_path, sets):
    require_others_unchanged(tmp_path, sets)
    Path(sets['reference set'][1]).write_bytes(b'another')
    with pytest.raises(InputError, match=r'1 images of the reference set have changed or gone .*more/0\.png\.'):
        require_others_unchanged(tmp_path, sets)
    require_others_unchanged(tmp_path, dict(sets, **{'reference set': []}))
    os.remove(sets['evaluation set'][1])
    with pytest.raises(InputError, match=r'1 images of the evaluation set have changed or gone .*1\.png\.'):
        require_others_unchanged(tmp_path, {'evaluation set': sets['evaluation set']})


def test_others_may_be_moved_together(tmp_path, sets):
    moved = tmp_path / 'moved'
    shutil.copytree(tmp_path, moved)
    files = {name: [str(moved / Path(p).relative_to(tmp_path)) for p in paths] for name, paths in sets.items()}
    Path(sets['reference set'][1]).write_bytes(b'another')
    require_others_unchanged(tmp_path, files)
    Path(files['reference set'][1]).write_bytes(b'another')
    with pytest.raises(InputError, match='moved'):
        require_others_unchanged(tmp_path, files)


def test_a_file_that_is_gone_is_recorded_without_checksum(tmp_path):
    write_pool_images(tmp_path, {1: file_identity(str(tmp_path / 'gone.png'))})
    assert (tmp_path / 'images.csv').read_text() == 'id,bytes,mtime_ns,sha256\n1,-1,-1,\n'
    require_pool_unchanged(tmp_path, {'1': '/nowhere'})
