"""Category-conditioned matching similarity of images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

CELLS = 2**25
"""Number of values of a temporary matrix that exist at one time."""


def matching_similarity(
    features: Sequence[Tensor], scores: Sequence[Tensor], labels: Sequence[Tensor]
) -> Tensor:
    r"""Measure how alike images are by their objects (PPAL, Yang et al., CVPR 2024, section 3.3).

    Each object is matched with the most similar one of its class in the other image:

    .. math::
        S'(A, B) = \sum_i t_i \max_{j: c_j = c_i} \cos(f_i, f_j) / \sum_i t_i,
        \quad S = (S' + S'^T) / 2

    As in the first authors' code, the cosine of an object is -1 if the other image has none of its
    class. Two images without objects have similarity 1, and an image without objects has -1 with
    every other. (That code takes it for a copy of every image.)

    It takes O(n_c^2 C) time for each class of n_c objects, and O(N^2 + CELLS) memory: the result is
    the only matrix of its size that is made.

    Args:
        features: f of the objects of each of N images, shape (n, C) each, on the device that does
            the work; so are scores and labels.
        scores: t of the objects of each image, shape (n,) each.
        labels: c, the classes of the objects of each image, shape (n,) each.

    Returns:
        S of shape (N, N), symmetric. It is rounded to five decimals, so that rounding errors make
        no difference between images that have nothing in common.
    """
    n_images = len(features)
    all_features = torch.cat(list(features))
    counts = torch.tensor([len(image_scores) for image_scores in scores])
    image_of_object = torch.arange(n_images).repeat_interleave(counts).to(all_features.device)
    f = torch.nn.functional.normalize(all_features, dim=1)
    t = torch.cat(list(scores))
    c = torch.cat(list(labels))
    total = f.new_zeros(n_images, n_images)
    for label in torch.unique(c):
        of_class = (c == label).nonzero()[:, 0]
        longest_row = max(len(of_class), n_images)
        rows_at_once = max(CELLS // longest_row, 1)
        for start in range(0, len(of_class), rows_at_once):
            rows = of_class[start : start + rows_at_once]
            cosine = f[rows] @ f[of_class].T
            best = _best_by_image(cosine, image_of_object[of_class], n_images)
            best.mul_(t[rows, None])
            total.index_add_(0, image_of_object[rows], best)
    weight = f.new_zeros(n_images).index_add_(0, image_of_object, t)
    total /= weight.clamp(min=1e-12)[:, None]
    is_empty = weight == 0
    similarity_to_empty = torch.where(is_empty, 1.0, -1.0)
    total[is_empty] = similarity_to_empty.to(total)
    return _symmetrized(total)


def _best_by_image(cosine: Tensor, image_of_column: Tensor, n_images: int) -> Tensor:
    """Largest cosine of each row within each image, shape (rows, N); -1 where it has no column."""
    n_rows = len(cosine)
    best = cosine.new_full((n_rows, n_images), -torch.inf)
    image_of_cell = image_of_column.expand(n_rows, -1)
    best.scatter_reduce_(1, image_of_cell, cosine, 'amax')
    return best.masked_fill_(best.isinf(), -1)


def _symmetrized(matrix: Tensor) -> Tensor:
    """(M + M^T) / 2 to five decimals, in place, block by block."""
    side = max(int(CELLS**0.5), 1)
    for i in range(0, len(matrix), side):
        for j in range(i, len(matrix), side):
            rows = slice(i, i + side)
            columns = slice(j, j + side)
            above = matrix[rows, columns]
            below = matrix[columns, rows]
            mean = (above + below.T) / 2
            mean = mean.round(decimals=5)
            above.copy_(mean)
            below.copy_(mean.T)
    return matrix
