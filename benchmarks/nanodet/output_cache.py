"""Outputs of a frozen network for single images, kept on disk by the images' contents."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmal.fileio.atomic import write_bytes


def digest(tensors: Sequence[Tensor]) -> str:
    """Checksum of values and shapes, whatever the memory format and the device.

    Args:
        tensors: The tensors.
    """
    checksum = hashlib.sha256()
    for tensor in tensors:
        values = tensor.detach().cpu().contiguous().numpy()
        checksum.update(str(values.shape).encode())
        checksum.update(values.data)
    return checksum.hexdigest()[:32]


class OutputCache:
    """A folder of outputs, float16, a file an image.

    The key of an image is the checksum of its pixels as they enter the network, so that an
    augmentation is another image: flips double the folder, a random crop would fill the disk. Each
    image is computed alone, so that no value depends on the batch it first came in. Rounding to
    float16 changes a value by at most 1 part in 2048, the same in every run.

    Args:
        folder: The folder. It need not exist. Weights have folders of their own in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(
        self, compute: Callable[[Tensor], tuple[Tensor, ...]], x: Tensor, weights: str
    ) -> tuple[Tensor, ...]:
        """Outputs for a batch, read where they are there, computed and written where not.

        Args:
            compute: The network, whose outputs are maps of shape (N, C, h, w).
            x: Images, shape (N, 3, H, W).
            weights: Checksum of the network's weights.

        Returns:
            The maps, shapes (N, C, h, w), float32.
        """
        outputs = [self._one(compute, image, weights) for image in x.split(1)]
        return tuple(torch.cat(maps).to(x) for maps in zip(*outputs, strict=True))

    def _one(
        self, compute: Callable[[Tensor], tuple[Tensor, ...]], image: Tensor, weights: str
    ) -> list[Tensor]:
        file = self._folder / weights / f'{digest([image])}.npz'
        if not file.exists():
            maps = [level.half().cpu().numpy() for level in compute(image)]
            buffer = io.BytesIO()
            np.savez(buffer, *maps)
            write_bytes(file, buffer.getvalue())
        with np.load(file, allow_pickle=False) as content:
            return [torch.from_numpy(content[name]) for name in content.files]
