import pytest
import torch

from mmal.models.pixels import Pixels


def test_a_picture_becomes_its_grey_pixels():
    images = torch.arange(2 * 3 * 4 * 4, dtype=torch.float).reshape(2, 3, 4, 4)
    (features,) = Pixels(side=2)(images)
    assert features.shape == (2, 4)
    assert features[0, 0] == images[0, :, :2, :2].mean()
    assert features[1, 3] == images[1, :, 2:, 2:].mean()


def test_it_has_no_weight_and_a_side():
    assert not list(Pixels().parameters())
    assert Pixels()(torch.zeros(1, 3, 16, 16))[0].shape == (1, 64)
    with pytest.raises(ValueError, match='side of 1 or more'):
        Pixels(side=0)
