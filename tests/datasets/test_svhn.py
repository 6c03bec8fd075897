import numpy as np
import pytest
from scipy.io import savemat

from mmal.datasets.svhn import SVHN
from mmal.errors import InputError


def test_images_are_rows_and_ten_is_zero(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3, 3), dtype=np.uint8)
    savemat(tmp_path / 'test_32x32.mat', dict(X=pixels, y=np.array([[10], [1], [9]])))
    images = SVHN(str(tmp_path), 'test').load_data_list()
    assert [image['gt_label'] for image in images] == [0, 1, 9]
    assert (images[2]['img'] == pixels[..., 2]).all()


def test_what_is_missing_or_something_else_is_named(tmp_path):
    with pytest.raises(InputError, match=r'test_32x32\.mat not found. Download it'):
        SVHN(str(tmp_path), 'test')
    savemat(tmp_path / 'test_32x32.mat', dict(X=np.zeros((3, 3)), y=np.zeros(3)))
    with pytest.raises(InputError, match='does not hold X'):
        SVHN(str(tmp_path), 'test')
