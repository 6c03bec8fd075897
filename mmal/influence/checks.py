"""What must hold of a model before influence has a meaning."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

PRECISE_DTYPES = (torch.float32, torch.float64)
"""Types of parameters in which second derivatives do not drown in rounding errors."""


def check_model(model: nn.Module, params: Mapping[str, nn.Parameter]) -> None:
    """Refuse a model that influence has no meaning for.

    The samples of a batch must not depend on each other, and parameters must not be too coarse for
    second derivatives.

    >>> check_model(nn.BatchNorm1d(2).eval(), {})
    >>> check_model(nn.Sequential(nn.BatchNorm1d(2)).train(), {})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: 0 (BatchNorm1d) is in train mode: samples of a batch would depend on each other, ...

    Args:
        model: The model, in the state in which its losses will be taken.
        params: The chosen parameters by name.

    Raises:
        ValueError: If a batch normalisation is in train mode, or a parameter is not float32 or
            float64.
    """
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm) and module.training:
            raise ValueError(
                f'{name} ({type(module).__name__}) is in train mode: samples of a batch would '
                'depend on each other, and its statistics would change. Call model.eval(), or '
                'eval() of its normalisation layers.'
            )
    for name, parameter in params.items():
        if parameter.dtype not in PRECISE_DTYPES:
            raise ValueError(
                f'{name} is {parameter.dtype}; influence needs float32 or float64. Convert the '
                'model: model.float(). (Mixed-precision training keeps float32 parameters.)'
            )
