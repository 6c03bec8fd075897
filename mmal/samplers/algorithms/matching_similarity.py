"""Category-conditioned matching similarity of images (PPAL, Yang et al., CVPR 2024, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

CELLS = 2**25
"""Numbers of a temporary matrix that exist at one time."""


def matching_similarity(
    features: Sequence[Tensor], scores: Sequence[Tensor], labels: Sequence[Tensor]
) -> Tensor:
    r"""How alike images are, by their objects: each is matched with the most similar one of its class.

    .. math:: S'(A, B) = \sum_i t_i \max_{j: c_j = c_i} \cos(f_i, f_j) / \sum_i t_i, \quad S = (S' + S'^T) / 2

    As in the first authors' code, the cosine of an object without one of its class in the other image is -1. An image
    without objects resembles others without, and no other: 1 and -1. (That code takes it for a copy of every image.)

    Args:
        features: Of each image's boxes, shape (n, C) each.
        scores: t, shape (n,).
        labels: c, shape (n,).

    Returns:
        S of shape (N, N), symmetric, to five decimals, so that rounding errors are no difference between images that
        have nothing in common; the only matrix of that size that is made.
    """
    n = len(features)
    image = torch.cat([torch.full((len(s),), i) for i, s in enumerate(scores)])
    f, t, c = (torch.cat(list(parts)) for parts in (features, scores, labels))
    f = torch.nn.functional.normalize(f, dim=1)
    total = f.new_zeros(n, n)
    for label in c.unique():
        mine = (c == label).nonzero()[:, 0]
        for rows in mine.split(max(CELLS // max(len(mine), n), 1)):
            cosine = f[rows] @ f[mine].T
            best = cosine.new_full((len(rows), n), -torch.inf).scatter_reduce_(
                1, image[mine].expand(len(rows), -1), cosine, 'amax'
            )
            total.index_add_(
                0, image[rows], best.masked_fill_(best.isinf(), -1).mul_(t[rows, None])
            )
    weight = f.new_zeros(n).index_add_(0, image, t)
    total /= weight.clamp(min=1e-12)[:, None]
    empty = weight == 0
    total[empty] = torch.where(empty, 1.0, -1.0).to(total)
    return _symmetrized(total)


def _symmetrized(matrix: Tensor) -> Tensor:
    """(M + M^T) / 2 to five decimals, in place."""
    side = max(int(CELLS**0.5), 1)
    for i in range(0, len(matrix), side):
        for j in range(i, len(matrix), side):
            above, below = matrix[i : i + side, j : j + side], matrix[j : j + side, i : i + side]
            mean = ((above + below.T) / 2).round(decimals=5)
            above.copy_(mean)
            below.copy_(mean.T)
    return matrix
