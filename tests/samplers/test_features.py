"""Vectors that can be compared, and names of modules that are there."""

import math

import numpy as np
import pytest
import torch

from mmal.errors import InputError
from mmal.samplers.features import check_layers, stack_finite


def test_what_is_missing_or_not_finite_is_left_out():
    vectors = {1: np.float32([1, 2]), 2: np.float32([math.nan, 0]), 3: np.float32([3, 4])}
    ids, stacked = stack_finite(vectors, [3, 2, 9, 1])
    assert ids == [3, 1]
    assert stacked.tolist() == [[3, 4], [1, 2]]
    ids, stacked = stack_finite(vectors, [2, 9], width=2)
    assert ids == []
    assert stacked.shape == (0, 2)


def test_layers_that_are_not_there_are_refused():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    check_layers(None, model)
    check_layers(['0'], model)
    with pytest.raises(InputError, match=r"no module 'neck'\. Its children are 0"):
        check_layers(['0', 'neck'], model)
