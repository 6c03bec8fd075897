"""Where a choice among many vectors is computed: on the model's GPU, if they fit there."""

from __future__ import annotations

import torch
from torch import nn

from mmal.utils.gpu_memory import free_bytes

SHARE = 0.5
"""Share of a GPU's free memory that vectors may take."""


def device_with_room(model: nn.Module, nbytes: int) -> torch.device:
    """Choose the device for a computation on vectors that lie on the CPU.

    Args:
        model: The model whose device is free meanwhile, not wrapped.
        nbytes: Memory that the computation takes, in bytes.

    Returns:
        The model's GPU if at most half of its free memory is needed, else the CPU.
    """
    device = next(model.parameters()).device
    if device.type != 'cuda':
        return torch.device('cpu')
    if nbytes > SHARE * free_bytes(device):
        return torch.device('cpu')
    return device
