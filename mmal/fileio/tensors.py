"""Files of tensors, read with an allow-list so that code in them does not run."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .atomic import write_bytes

SWITCH = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
"""torch's environment variable; with it, no library can load with ``weights_only=False``."""


def save_tensors(path: str | Path, data: dict[str, Any]) -> None:
    """Write tensors and plain values as :func:`tensor_bytes`, whole or not at all.

    Args:
        path: Path of the file.
        data: Tensors and plain values by name.
    """
    write_bytes(path, tensor_bytes(data))


def tensor_bytes(data: dict[str, Any]) -> bytes:
    """Encode tensors and plain values so that ``torch.load(weights_only=True)`` reads them.

    Args:
        data: Tensors and plain values by name.
    """
    buffer = io.BytesIO()
    torch.save(data, buffer)
    return buffer.getvalue()


def load_tensors(
    path: str | Path | io.BytesIO, device: str | torch.device = 'cpu'
) -> dict[str, Any]:
    """Read what :func:`save_tensors` wrote.

    Only tensors and plain values are accepted; no foreign code can run.

    Args:
        path: Path of the file, or its content.
        device: Device that the tensors are put on. Defaults to 'cpu'.

    Raises:
        pickle.UnpicklingError: If the file holds anything else.
    """
    data: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return data


def to_plain(value: Any) -> Any:
    """Copy a nested value so that it can be saved and read back safely.

    Numbers and arrays of numpy become Python's numbers and lists. Entries of dicts that are no
    values (functions) are left out.

    Args:
        value: Tensors, text, numbers, and lists, tuples and dicts of them.

    Raises:
        TypeError: If there is anything else.
    """
    if isinstance(value, dict):
        return {
            k: to_plain(v) for k, v in value.items() if isinstance(v, Tensor) or not callable(v)
        }
    if isinstance(value, (list, tuple)):
        items = [to_plain(item) for item in value]
        return tuple(items) if type(value) is tuple else items
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if value is None or isinstance(value, (Tensor, str, bytes, bool, int, float)):
        return value
    raise TypeError(
        f'MidTrainingCheckpointHook: a checkpoint of this training holds a {type(value).__name__}, '
        'which cannot be read back safely. Report it; custom_hooks = [..., '
        'dict(type="mmal.MidTrainingCheckpointHook", interval_seconds=float("inf"))] goes without.'
    )


def forbid_unpickling(unsafe: bool = False) -> None:
    """Have every ``torch.load`` of this process read tensors, plain values and numpy arrays only.

    mmengine first tries an allow-list of its own, which also has its log buffers. It then falls
    back to full unpickling, which runs whatever code a hostile file holds. With this it stops with
    ``pickle.UnpicklingError`` instead.

    Args:
        unsafe: Allow full unpickling, for a checkpoint of one's own that needs it. Defaults to
            False.
    """
    if unsafe:
        os.environ.pop(SWITCH, None)
        return
    os.environ[SWITCH] = '1'
    if hasattr(torch.serialization, 'add_safe_globals'):
        torch.serialization.add_safe_globals(_numpy_globals())
        return
    # Before release 2.4 torch can be told of no further class; mmengine's reader is replaced.
    from .foreign_checkpoint import read_in_place_of_mmengine

    read_in_place_of_mmengine()


def _numpy_globals() -> list[Any]:
    """What a pickled numpy array or number refers to, under numpy 1 and 2."""
    core: Any = np._core if hasattr(np, '_core') else np.core
    kinds = ('u1', 'u4', 'i4', 'i8', 'f4', 'f8', 'b1')
    dtypes = {type(np.dtype(kind)) for kind in kinds}
    multiarray = core.multiarray
    return [np.ndarray, np.dtype, multiarray._reconstruct, multiarray.scalar, *dtypes]
