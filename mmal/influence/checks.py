"""What must hold before influence has a meaning."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def check_model(model: nn.Module, params: dict[str, nn.Parameter]) -> None:
    """Refuse a model whose samples depend on each other, or parameters too coarse for second derivatives.

    Raises:
        ValueError: If a batch normalisation is in train mode, or a parameter is not float32 or float64.
    """
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm) and module.training:
            raise ValueError(
                f'{name} ({type(module).__name__}) is in train mode: samples of a batch would depend on '
                'each other, and its statistics would change. Call model.eval(), or eval() of its '
                'normalisation layers.'
            )
    for name, p in params.items():
        if p.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f'{name} is {p.dtype}; influence needs float32 or float64. Convert the model: '
                'model.float(). (Mixed-precision training keeps float32 parameters.)'
            )
