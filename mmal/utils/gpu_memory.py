"""Memory of this process's GPU: what is free, what was used at most, and what to say when it is
full.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mmal.errors import InputError

GIB = 2**30
"""Bytes of a GiB."""

FULL = ('out of memory', 'ALLOC_FAILED')
"""What the messages of torch, CUDA and its libraries say when no memory is left."""


def free_bytes(device: torch.device) -> int:
    """Memory of a GPU that new tensors of this process can take, in bytes.

    What torch keeps of freed tensors counts, for it is given to new ones.

    Args:
        device: The GPU.
    """
    free, _ = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free + kept


def reset_peak() -> None:
    """Let :func:`peak_bytes` begin anew."""
    if _uses_gpu():
        torch.cuda.reset_peak_memory_stats()


def peak_bytes() -> int:
    """Most memory that tensors of this process took since :func:`reset_peak`, in bytes.

    It is 0 where no GPU is used. mmengine's Runner resets it, too, at each line of its log.
    """
    if not _uses_gpu():
        return 0
    return torch.cuda.max_memory_allocated()


def passing_bytes() -> int:
    """How much of :func:`peak_bytes` is free again: what the passes needed for themselves."""
    if not _uses_gpu():
        return 0
    return peak_bytes() - torch.cuda.memory_allocated()


def _uses_gpu() -> bool:
    """Whether this process has used a GPU. Asking for more would begin to."""
    if not torch.cuda.is_available():
        return False
    initialized: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return initialized


@contextmanager
def explain_full_gpu(what: str, cure: str) -> Iterator[None]:
    """Name the settings that help where the memory of the GPU is full.

    Args:
        what: What is done in the block, as a noun.
        cure: What to do, as sentences.

    Raises:
        InputError: If the block runs out of the GPU's memory.
    """
    try:
        yield
    except RuntimeError as e:
        if not is_full_gpu(e):
            raise
        first_line = str(e).splitlines()[0]
        raise InputError(f'The memory of the GPU is full in {what}: {first_line} {cure}') from e


def is_full_gpu(error: RuntimeError) -> bool:
    """Whether an error says that a GPU has no memory left.

    torch has a class for what its own allocator does not get. cuBLAS, cuDNN and mmcv's operators
    allocate by themselves, and raise a plain RuntimeError.

    Args:
        error: The error.
    """
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    text = str(error)
    of_gpu = 'CUDA' in text or 'CUBLAS' in text or 'CUDNN' in text
    return of_gpu and any(sign in text for sign in FULL)
