"""Checkpoints are read with an allow-list; code in them does not run."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .atomic import (
    write_bytes,
)


def save_tensors(path: str | Path, data: dict) -> None:
    """Write :func:`tensor_bytes`."""
    write_bytes(path, tensor_bytes(data))


def tensor_bytes(data: dict) -> bytes:
    """Tensors, and plain values beside them, so that ``torch.load(weights_only=True)`` reads them."""
    buffer = io.BytesIO()
    torch.save(data, buffer)
    return buffer.getvalue()


def load_tensors(
    path: str | Path | io.BytesIO, device: str | torch.device = 'cpu'
) -> dict[str, Tensor]:
    """Read what :func:`save_tensors` wrote. Only tensors and plain values are accepted; no foreign code can run."""
    return torch.load(path, map_location=device, weights_only=True)


def to_plain(value: Any) -> Any:
    """A copy in which numpy's numbers are Python's, and entries of dicts that are no values (functions) are left out.

    Raises:
        TypeError: If there is anything else but tensors, text, numbers, and lists, tuples and dicts of them.
    """
    if isinstance(value, dict):
        return {
            k: to_plain(v) for k, v in value.items() if not callable(v) or isinstance(v, Tensor)
        }
    if isinstance(value, (list, tuple)):
        return (
            type(value)(map(to_plain, value))
            if type(value) in (list, tuple)
            else [to_plain(v) for v in value]
        )
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if value is None or isinstance(value, (Tensor, str, bytes, bool, int, float)):
        return value
    raise TypeError(
        f'MidTrainingCheckpointHook: a checkpoint of this training holds a {type(value).__name__}, which cannot be read '
        'back safely. Report it; custom_hooks = [..., dict(type="mmal.MidTrainingCheckpointHook", interval_seconds=float("inf"))] '
        'goes without.'
    )


SWITCH = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
"""torch's own: with it, ``torch.load(weights_only=False)`` is not obeyed, by whatever library it is asked."""


def forbid_unpickling(unsafe: bool = False) -> None:
    """Have every ``torch.load`` of this process read tensors, plain values and numpy arrays, and no code.

    mmengine tries an allow-list of its own, which has its log buffers too, and then falls back to full unpickling,
    which runs whatever a hostile file says; with this it stops with ``pickle.UnpicklingError`` instead.

    Args:
        unsafe: Leave it as it is: for a checkpoint of one's own that needs full unpickling. Defaults to False.
    """
    if unsafe:
        os.environ.pop(SWITCH, None)
        return
    os.environ[SWITCH] = '1'
    core = np._core if hasattr(np, '_core') else np.core
    torch.serialization.add_safe_globals(
        [
            np.ndarray,
            np.dtype,
            core.multiarray._reconstruct,
            core.multiarray.scalar,
            *{type(np.dtype(kind)) for kind in ('u1', 'u4', 'i4', 'i8', 'f4', 'f8', 'b1')},
        ]
    )
