"""How much of the GPU's memory the cached layer inputs of s_test may take."""

from __future__ import annotations

import math
from logging import Logger

import torch

from mmal.errors import InputError
from mmal.utils.gpu_memory import GIB, free_bytes, passing_bytes

LEAST_BYTES = 64 * 2**20
"""Less memory than this holds no curvature worth the name."""


def cache_limit(memory_gb: float, device: torch.device, log: Logger) -> float:
    """Most memory for cached layer inputs on a device, in bytes.

    It is called when the reference gradient is done: the passes to come need about what its passes
    needed, and that much is left to them.

    Args:
        memory_gb: ``memory_gb`` of StestHook, in GiB.
        device: Device of the model.
        log: Receives a warning if the limit is lowered.

    Returns:
        The limit; infinite on a processor, where ``memory_gb`` alone counts.

    Raises:
        InputError: If the device has next to nothing left.
    """
    if device.type != 'cuda':
        return math.inf
    limit = fitting_bytes(memory_gb, free_bytes(device), passing_bytes())
    if limit < memory_gb * GIB:
        log.warning(
            f'StestHook: memory_gb = {memory_gb:g}, but the GPU has {limit / GIB:.2f} GiB left for '
            'cached layer inputs. H is taken from as many labeled images as fit into that.'
        )
    return limit


def fitting_bytes(memory_gb: float, free: int, passing: int) -> float:
    """The smaller of what is wanted and what the GPU has left.

    Args:
        memory_gb: Wanted memory, in GiB.
        free: Memory that new tensors can take, in bytes.
        passing: How much of it a pass over one batch needs for itself, in bytes.

    Returns:
        The memory to use, in bytes.

    Raises:
        InputError: If what is left is below ``LEAST_BYTES`` and below what is wanted.
    """
    wanted = memory_gb * GIB
    left = free - passing
    if left < min(wanted, LEAST_BYTES):
        raise InputError(
            f'StestHook: expected {memory_gb:g} GiB (memory_gb) or a part of it for cached layer '
            f'inputs, found {free / GIB:.2f} GiB free on the GPU, of which a pass over a batch '
            f'needs {passing / GIB:.2f}. Lower StestHook.batch_size, or end what else uses the '
            'GPU (nvidia-smi shows it); then go on by --resume.'
        )
    return min(wanted, left)
