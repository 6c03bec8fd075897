"""Checkpoints are read with an allow-list; code in them does not run."""

from __future__ import annotations

import os

import numpy as np
import torch

SWITCH = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
"""torch's own: with it, ``torch.load(weights_only=False)`` is not obeyed, by whatever library it is asked."""


def refuse_code(unsafe: bool = False) -> None:
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
    torch.serialization.add_safe_globals([
        np.ndarray, np.dtype, core.multiarray._reconstruct, core.multiarray.scalar,
        *{type(np.dtype(kind)) for kind in ('u1', 'u4', 'i4', 'i8', 'f4', 'f8', 'b1')}])
