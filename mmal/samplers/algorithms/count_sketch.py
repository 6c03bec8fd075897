from __future__ import annotations

import torch
from torch import Tensor


def count_sketch(gradients: Tensor, dim: int, seed: int) -> Tensor:
    """Vectors of shape (N, P) as (N, dim), with the same inner products on average; as they are where P <= dim.

    Each coordinate is added, with a random sign, to a random one of ``dim`` (Charikar, Chen & Farach-Colton, 2002).
    """
    size = gradients.shape[1]
    if size <= dim:
        return gradients
    generator = torch.Generator().manual_seed(seed)
    bucket = torch.randint(dim, (size,), generator=generator)
    sign = torch.randint(2, (size,), generator=generator) * 2.0 - 1
    return gradients.new_zeros(len(gradients), dim).index_add_(
        1, bucket, gradients * sign.to(gradients)
    )
