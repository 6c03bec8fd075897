"""How precisely torch multiplies float32 numbers: its flags, and a context for full precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

FULL = ('none', 'ieee')
"""Values of ``fp32_precision`` by which products of float32 numbers are those of float32."""


@contextmanager
def full_float32() -> Iterator[None]:
    """Compute in float32 what is in float32, and restore torch's flags on leaving.

    GPUs since Ampere round the inputs of convolutions to 10 bits of mantissa (TF32) unless they are
    told not to; matrix products too, if the config asks for that. Autocast is off as well. Models
    are trained and evaluated as the config says; what compares images by small differences of their
    losses is computed in this context.
    """
    matmul = _matmul_precision()
    cudnn = _cudnn_allows_tf32()
    precisions = [(operator, operator.fp32_precision) for operator in _operators()]
    torch.set_float32_matmul_precision('highest')
    torch.backends.cudnn.allow_tf32 = False
    for operator, _ in precisions:
        if operator.fp32_precision not in FULL:
            operator.fp32_precision = 'ieee'
    try:
        with torch.autocast('cpu', enabled=False), torch.autocast('cuda', enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = cudnn
        for operator, precision in precisions:
            if operator.fp32_precision != precision:
                operator.fp32_precision = precision


def float32_flags() -> dict[str, str]:
    """Describe the flags on which the digits of sums and products depend.

    Returns:
        ``float32_matmul_precision``, ``cudnn_tf32``, ``cudnn_deterministic`` and
        ``cudnn_benchmark``.
    """
    return dict(
        float32_matmul_precision=_matmul_precision(),
        cudnn_tf32=str(_cudnn_allows_tf32()),
        cudnn_deterministic=str(torch.backends.cudnn.deterministic),
        cudnn_benchmark=str(torch.backends.cudnn.benchmark),
    )


def _matmul_precision() -> str:
    """'highest', 'high' or 'medium'; torch refuses to say so where old and new flags differ."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        matmul: Any = torch.backends.cuda.matmul
        return 'highest' if matmul.fp32_precision in FULL else 'high'


def _cudnn_allows_tf32() -> bool:
    """Whether convolutions may round; torch refuses to say so where old and new flags differ."""
    cudnn: Any = torch.backends.cudnn
    try:
        return bool(cudnn.allow_tf32)
    except RuntimeError:
        return cudnn.conv.fp32_precision not in FULL


def _operators() -> list[Any]:
    """Kinds of operators that newer versions of torch have a flag of their own for."""
    if not hasattr(torch.backends, 'fp32_precision'):
        return []
    found: list[Any] = [torch.backends.cuda.matmul]
    for backend in (torch.backends.cudnn, torch.backends.mkldnn):
        for name in ('conv', 'rnn', 'matmul'):
            operator = getattr(backend, name, None)
            if operator is not None:
                found.append(operator)
    return found
