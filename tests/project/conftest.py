"""Folders of images that look nothing like each other."""

import numpy as np
import pytest
from PIL import Image


def picture(path, seed, size=(64, 48), **how):
    """Write a smooth picture of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    small = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(path, **how)
    return path


@pytest.fixture
def pictures(tmp_path):
    """A folder with 20 pictures, some of them in a folder of it."""
    for n in range(20):
        picture(tmp_path / 'pics' / ('more' if n >= 15 else '') / f'{n:02d}.png', n)
    return tmp_path / 'pics'
