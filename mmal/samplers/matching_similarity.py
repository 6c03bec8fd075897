"""Category-conditioned matching similarity of images (PPAL, Yang et al., CVPR 2024, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

BLOCK = 1024
"""Boxes compared with all others at one time."""


def matching_similarity(features: Sequence[Tensor], scores: Sequence[Tensor], labels: Sequence[Tensor]) -> Tensor:
    r"""How alike images are, by their objects: each is matched with the most similar one of its class.

    .. math:: S'(A, B) = \sum_i t_i \max_{j: c_j = c_i} \cos(f_i, f_j) / \sum_i t_i, \quad S = (S' + S'^T) / 2

    An object without one of its class in the other image counts 0; an image without objects resembles nothing.

    Args:
        features: Of each image's boxes, shape (n, C) each.
        scores: t, shape (n,).
        labels: c, shape (n,).

    Returns:
        S of shape (N, N), symmetric.
    """
    n = len(features)
    image = torch.cat([torch.full((len(s), ), i) for i, s in enumerate(scores)])
    f, t, c = (torch.cat(list(parts)) for parts in (features, scores, labels))
    f = torch.nn.functional.normalize(f, dim=1)
    total = f.new_zeros(n, n)
    for label in c.unique():
        mine = (c == label).nonzero()[:, 0]
        for rows in mine.split(BLOCK):
            cosine = f[rows] @ f[mine].T
            best = torch.full((len(rows), n), -torch.inf, dtype=f.dtype).scatter_reduce_(
                1, image[mine].expand(len(rows), -1), cosine, 'amax')
            best = torch.where(best.isinf(), torch.zeros_like(best), best)
            total.index_add_(0, image[rows], best * t[rows, None])
    weight = f.new_zeros(n).index_add_(0, image, t)
    one_way = total / weight.clamp(min=1e-12)[:, None]
    return (one_way + one_way.T) / 2
