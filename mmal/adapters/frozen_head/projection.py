"""Features made comparable: centred, reduced to principal components, scaled."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

MAX_SAMPLES = 20_000
"""Images at most that principal components are found from."""


@dataclass(frozen=True)
class Projection:
    r"""Makes features of mean 0 and mean square 1, in as few dimensions as asked for.

    It is :math:`x = B^T (f - \mu) / s`. B has orthonormal columns, so that distances shrink by the
    left-out components alone, and s is one number for all, so that their directions stay.

    Attributes:
        mean: :math:`\mu`, shape (D,).
        basis: B, shape (D, d); None for the identity.
        scale: s.
    """

    mean: Tensor
    basis: Tensor | None
    scale: float

    @classmethod
    def of(cls, features: Tensor, components: int | None) -> Projection:
        """Find the projection of some features.

        Args:
            features: Shape (N, D), N at least 1.
            components: Number of principal components to keep. None, or no fewer than there can be,
                keeps all D dimensions.

        Returns:
            The projection. Its scale makes the mean square over images and dimensions 1.
        """
        sample = features[:MAX_SAMPLES].double()
        mean = sample.mean(0)
        centred = sample - mean
        basis = None
        if components is not None and components < min(centred.shape):
            # Eigenvectors ascend.
            _, vectors = torch.linalg.eigh(centred.T @ centred)
            basis = _with_fixed_signs(vectors[:, -components:].flip(1))
            centred = centred @ basis
        mean_square = float(centred.square().mean())
        return cls(mean, basis, mean_square**0.5 or 1.0)

    def __call__(self, features: Tensor) -> Tensor:
        """Project features.

        Args:
            features: Shape (N, D).

        Returns:
            Float32 of shape (N, d).
        """
        centred = features.double() - self.mean
        if self.basis is not None:
            centred = centred @ self.basis
        return (centred / self.scale).float()


def _with_fixed_signs(vectors: Tensor) -> Tensor:
    """The columns with their largest entry positive: an eigenvector's sign is arbitrary."""
    rows = vectors.abs().argmax(0)
    signs = vectors[rows, torch.arange(vectors.shape[1])].sign()
    return vectors * signs
