"""Images that cannot be decoded, and what tells that a file has changed."""

import hashlib
import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmal.utils.image_files import ImageCheck, check_images, decode, file_identity, read_sizes


@pytest.fixture
def pictures(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    paths = {}
    for name in ('good.jpg', 'good.png', 'cut.jpg', 'cut.png', 'text.jpg', 'empty.png'):
        paths[name] = str(tmp_path / name)
        Image.fromarray(pixels).save(paths[name])
    for name in ('cut.jpg', 'cut.png'):
        content = Path(paths[name]).read_bytes()
        Path(paths[name]).write_bytes(content[: len(content) * 2 // 3])
    Path(paths['text.jpg']).write_text('not an image')
    Path(paths['empty.png']).write_bytes(b'')
    return paths


def test_truncated_and_foreign_files_are_found(pictures):
    checks = check_images(pictures, logging.getLogger())
    assert list(checks) == list(pictures)
    found = {name: check.reason for name, check in checks.items() if check.reason}
    assert sorted(found) == ['cut.jpg', 'cut.png', 'empty.png', 'text.jpg']
    assert 'truncated' in found['cut.jpg']


@pytest.mark.parametrize('mode', ['L', 'CMYK', 'P', 'RGBA', '1'])
def test_other_colour_modes_are_fine(tmp_path, mode):
    path = tmp_path / 'image.tif'
    Image.new('RGB', (5, 4)).convert(mode).save(path)
    assert decode(str(path))[0] is None


def test_one_pixel_is_an_image(tmp_path):
    Image.new('RGB', (1, 1)).save(tmp_path / 'one.jpg')
    assert decode(str(tmp_path / 'one.jpg'))[0] is None


def test_identity_is_size_time_and_checksum(tmp_path):
    path = tmp_path / 'a.png'
    path.write_bytes(b'abc')
    os.utime(path, ns=(1, 17))
    assert file_identity(str(path)) == (3, 17, hashlib.sha256(b'abc').hexdigest())
    assert file_identity(str(tmp_path / 'gone.png')) is None


def test_a_check_holds_both_sizes_of_a_turned_image(tmp_path):
    path = str(tmp_path / 'turned.jpg')
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (60, 40)).save(path, exif=exif)
    check = check_images({7: path}, logging.getLogger())[7]
    assert check == ImageCheck(None, file_identity(path), (60, 40), (40, 60))


@pytest.mark.parametrize('exif', [b'Exif\0\0no TIFF at all', b'Exif\0\0MM\0*'])
def test_broken_exif_data_turn_no_image_and_keep_none_out(tmp_path, exif):
    path = str(tmp_path / 'turned.png')
    Image.new('RGB', (60, 40)).save(path, exif=exif)
    assert read_sizes(path) == ((60, 40), (60, 40))
    assert decode(path) == (None, ((60, 40), (60, 40)), ())


def test_a_check_of_a_file_that_is_gone_has_no_identity(tmp_path):
    check = check_images({'a': str(tmp_path / 'gone.png')}, logging.getLogger())['a']
    assert check.reason.startswith('FileNotFoundError')
    assert check.identity is check.stored_size is check.loaded_size is None
