"""What is found of good, odd and broken images."""

import hashlib
import logging
import os
import shutil

import pytest
from PIL import Image

from mmal.project import scan as module
from mmal.project.image_source import find_images
from mmal.project.scan import scan
from tests.project.conftest import picture

LOGGER = logging.getLogger('test')


@pytest.fixture
def look(tmp_path):
    def go(utf8=False):
        return scan(find_images(tmp_path), utf8, LOGGER)

    return go


def test_sizes_are_as_loaded_and_digests_are_of_the_content(tmp_path, look):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = picture(tmp_path / 'turned.jpg', 0, exif=exif)
    found = look().images[0]
    assert (found.width, found.height, found.bytes) == (48, 64, path.stat().st_size)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_copies_and_look_alikes_are_told_apart(tmp_path, look):
    picture(tmp_path / 'a.png', 0)
    shutil.copy(tmp_path / 'a.png', tmp_path / 'b.png')
    picture(tmp_path / 'c.jpg', 0)
    picture(tmp_path / 'd.png', 1)
    found = look()
    assert [i.name for i in found.images] == ['a.png', 'c.jpg', 'd.png']
    assert found.exact_duplicates == {'b.png': 'a.png'}
    assert found.near_duplicates == {'c.jpg': 'a.png'}
    assert found.representative('c.jpg') == found.representative('a.png') == 'a.png'
    dropped = found.without_near_duplicates()
    assert ([i.name for i in dropped.images], dropped.near_duplicates) == (['a.png', 'd.png'], {})


def test_what_cannot_be_used_is_named_with_the_reason(tmp_path, look):
    picture(tmp_path / 'good.png', 0)
    (tmp_path / 'text.png').write_text('no image')
    whole = picture(tmp_path / 'cut.jpg', 1, size=(640, 480)).read_bytes()
    (tmp_path / 'cut.jpg').write_bytes(whole[:len(whole) // 2])
    Image.new('RGB', (1, 300)).save(tmp_path / 'line.png')
    os.symlink(tmp_path / 'gone.png', tmp_path / 'link.png')
    picture(tmp_path / 'a\nb.png', 2)
    found = look()
    assert [i.name for i in found.images] == ['good.png']
    reasons = {k: v.split(':')[0] for k, v in found.unusable.items()}
    assert reasons == {'text.png': 'UnidentifiedImageError', 'cut.jpg': 'OSError', 'line.png': 'is 1 x 300 pixels',
                       'link.png': 'there is no such file (a link to nowhere)',
                       'a\nb.png': 'has a line break in its name, and lists hold a name a line'}


def test_names_that_are_not_utf8_are_refused_where_lists_are_read(tmp_path, look):
    picture(tmp_path / 'a.png', 0).rename(tmp_path / os.fsdecode(b'\xff.png'))
    assert len(look(utf8=False).images) == 1
    assert 'not UTF-8' in next(iter(look(utf8=True).unusable.values()))


def test_an_image_too_large_to_decode_is_named_and_a_large_one_is_taken_without_a_warning(
        tmp_path, look, monkeypatch, recwarn):
    picture(tmp_path / 'large.png', 0)
    picture(tmp_path / 'larger.png', 1, size=(100, 100))
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 3000)  # refused from twice that
    found = look()
    assert ([i.name for i in found.images], list(recwarn)) == (['large.png'], [])
    assert 'shrink it' in found.unusable['larger.png']


def test_colours_that_have_no_grey_have_no_fingerprint(tmp_path, look, monkeypatch):
    def refuse(image):
        raise ValueError('conversion from LAB to L not supported')

    monkeypatch.setattr(module, 'fingerprint', refuse)
    picture(tmp_path / 'a.png', 0)
    assert [i.fingerprint for i in look().images] == [None]


def test_images_go_to_the_threads_in_portions_and_stay_in_order(tmp_path, look, monkeypatch):
    monkeypatch.setattr(module, 'CHUNK_SIZE', 3)
    for n in range(8):
        picture(tmp_path / f'{n}.png', n)
    assert [i.name for i in look().images] == [f'{n}.png' for n in range(8)]
