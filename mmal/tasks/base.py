"""What the rest of mmal needs from a kind of model (detector, later classifier)."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

from torch import Tensor, nn
from torch.utils.data import Dataset


class TaskData(Protocol):
    """The data side: pool, ground truth and datasets, read from the config.

    Attributes:
        images: Pool images, dicts with at least ``id``, ``file_name``, ``width``, ``height``; no annotations.
        classes: Class names in the config's order.
        local: Whether the image files lie on a local file system.
    """
    images: list[dict]
    classes: tuple[str, ...]
    local: bool

    def image_path(self, image_id) -> str:
        """Where the file of a pool image lies."""

    def missing_files(self) -> list[str]:
        """Files of pool images that do not exist."""

    def check_dataset(self, dataset, name: str) -> None:
        """InputError if a reference or evaluation set lacks image files or has unknown categories."""

    def truth(self, image_ids) -> list[dict]:
        """Hidden ground truth of these images, for a simulated oracle only."""

    def listing(self) -> dict:
        """Contents of ``pool.json``: every image of the pool, no annotation."""

    def labeled(self, image_ids, annotations: list[dict]) -> dict:
        """Contents of ``labeled.json``: these images with these annotations."""

    def train_on(self, cfg, path: str) -> None:
        """Change ``cfg`` so that its training reads only the labeled file ``path``."""

    def labeled_dataset(self, path: str | None) -> Dataset:
        """Images of a labeled file (None: of the whole training set) with annotations, as at test time (no flips)."""

    def reference_dataset(self, reference) -> Dataset:
        """The reference set R with annotations, as at test time."""

    def pool_dataset(self, path: str) -> Dataset:
        """Images of a file without annotations, as at test time."""


class Task(Protocol):
    """The model side. ``items`` are what the datasets above return; images of different sizes may be mixed."""
    model: nn.Module

    def loss_mode(self) -> AbstractContextManager:
        """Normalisation by running statistics, no dropout, heads as in training, losses of this process alone."""

    def losses(self, items: list[Any]) -> Tensor:
        """Loss of each item on its own annotations, each normalised as if alone: shape (N,), with a graph."""

    def pseudo_derivative(self, items, image_ids, params, direction, score_thr) -> tuple[Tensor, list[int]]:
        """Derivative along ``direction`` of each item's loss on the model's own predictions above ``score_thr``.

        Returns:
            direction . G_z of shape (N,), and the number of pseudo-boxes of each item.
        """
