"""Frozen features of several sets in memory, and datasets of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset


class FeatureTable:
    """Features and classes of images, by row.

    A dataset item is a row number, so that a batch is looked up at once.

    Args:
        features: Shape (N, d), centred and scaled.
        targets: 1 where an image has a class and 0 elsewhere, shape (N, C).
    """

    def __init__(self, features: Tensor, targets: Tensor) -> None:
        self.features = features
        self.targets = targets

    def embed(self, rows: Sequence[int]) -> Tensor:
        """Look up features.

        Args:
            rows: Row numbers.

        Returns:
            Shape (len(rows), d).
        """
        return self.features[torch.as_tensor(rows)]

    def targets_of(self, rows: Sequence[int]) -> Tensor:
        """Look up classes.

        Args:
            rows: Row numbers.

        Returns:
            Shape (len(rows), C).
        """
        return self.targets[torch.as_tensor(rows)]


class RowDataset(Dataset[int]):
    """Gives row numbers of a :class:`FeatureTable`.

    Args:
        rows: The row numbers.
    """

    def __init__(self, rows: Sequence[int]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Any:
        return self._rows[index]
