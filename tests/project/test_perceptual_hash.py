"""Look-alikes have near fingerprints; other images do not."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from mmal.project.perceptual_hash import fingerprint
from tests.project.conftest import picture


def distance(a, b):
    return (a.hash ^ b.hash).bit_count()


def of(path):
    with Image.open(path) as image:
        return fingerprint(image)


def test_a_compressed_and_a_smaller_copy_are_near_and_another_picture_is_far(tmp_path):
    first = picture(tmp_path / 'a.png', 0, size=(320, 240))
    with Image.open(first) as image:
        image.save(tmp_path / 'a.jpg', quality=60)
        image.resize((160, 120)).save(tmp_path / 'small.png')
    assert max(distance(of(first), of(tmp_path / n)) for n in ('a.jpg', 'small.png')) <= 4
    assert distance(of(first), of(picture(tmp_path / 'b.png', 1))) > 16


def test_a_copy_turned_by_exif_is_the_same(tmp_path):
    first = picture(tmp_path / 'a.png', 0)
    with Image.open(first) as image:
        exif = Image.Exif()
        exif[0x0112] = 6
        image.rotate(90, expand=True).save(tmp_path / 'turned.png', exif=exif)
    with Image.open(tmp_path / 'turned.png') as turned:
        assert ImageOps.exif_transpose(turned).size == (64, 48)
    assert of(tmp_path / 'turned.png') == of(first)


@pytest.mark.parametrize('mode', ['L', 'RGBA', 'P', 'CMYK', '1', 'I;16', 'F'])
def test_every_kind_of_pixel_works(mode):
    values = np.linspace([0] * 48, 60000 if mode[0] in 'IF' else 255, 64, axis=1)
    image = Image.fromarray(values.astype(np.uint16 if mode == 'I;16' else np.float32))
    found = fingerprint(image if mode[0] in 'IF' else image.convert('L').convert(mode))
    assert found.hash.bit_count() > 32  # brightness grows to the right
    assert len(set(found.thumbnail)) > 8
