"""Vectors go to the model's GPU only if they fit beside what lies there."""

import torch

from mmal.samplers.placement import device_with_room


def test_a_model_on_the_cpu_keeps_vectors_there():
    assert device_with_room(torch.nn.Linear(1, 1), 8) == torch.device('cpu')
