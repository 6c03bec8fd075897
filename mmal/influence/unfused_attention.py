"""Attention as plain matrix products, which can be differentiated twice and forward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

# torch gives these functions no types
cuda: Any = torch.backends.cuda

FUSED = ('flash', 'mem_efficient', 'cudnn')
"""Names of the fused kinds of attention in ``torch.backends.cuda``; their switches hold on every
device. torch has 'cudnn' since release 2.5.
"""


@contextmanager
def unfused_attention() -> Iterator[None]:
    """Have ``scaled_dot_product_attention`` run as matrix products inside the context.

    Fused attention has no second derivative and no forward derivative. torch's own context manager
    for this was renamed in release 2.3; these switches are in every release since 2.0.
    """
    present = [kind for kind in FUSED if hasattr(cuda, f'enable_{kind}_sdp')]
    enabled = {kind: getattr(cuda, f'{kind}_sdp_enabled')() for kind in present}
    plain_enabled = cuda.math_sdp_enabled()
    try:
        for kind in present:
            getattr(cuda, f'enable_{kind}_sdp')(False)
        cuda.enable_math_sdp(True)
        yield
    finally:
        for kind in present:
            getattr(cuda, f'enable_{kind}_sdp')(enabled[kind])
        cuda.enable_math_sdp(plain_enabled)
