"""What a pass over the pool has computed so far, on disk: a kill loses its last minute at most."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from mmal.adapters.base import ImageId
from mmal.fileio.atomic import oserror_with_path, write_bytes
from mmal.fileio.checksummed import digest_bytes
from mmal.fileio.tensors import load_tensors, tensor_bytes

from .base import Reasons


class PassCache:
    """Files of one pass, each written whole by one process.

    Any number of processes may resume from them. A file is named after the checksum of its content,
    so no two processes write different files under one name.

    Args:
        folder: Folder of the round's passes.
        name: Name of the pass.
        logger: Receives a warning for each damaged file.
    """

    def __init__(self, folder: str | Path, name: str, logger: logging.Logger) -> None:
        self._folder = Path(folder)
        self._name = name
        self._logger = logger

    def read(self) -> Iterator[tuple[dict[ImageId, Any], Reasons]]:
        """Read one file after the other.

        Only one process may call it, because damaged files are removed.

        Yields:
            Findings by id, and the reason by id for images that could not be loaded.
        """
        for path in sorted(self._folder.glob(f'{self._name}_*.pt')):
            with oserror_with_path(path):
                content = path.read_bytes()
            if path != self._path(content):
                self._logger.warning(
                    f'{path} is damaged: its content does not match its checksum. It is removed, '
                    'and its images are visited again.'
                )
                path.unlink()
                continue
            part: dict[str, Any] = load_tensors(io.BytesIO(content))
            arrays = tree_map(_as_array, part['found'])
            findings = dict(zip(part['ids'], arrays, strict=True))
            yield findings, part['unreadable']

    def ids(self) -> set[ImageId]:
        """Collect the ids of all images that the pass has visited.

        Returns:
            Ids with a finding and ids that could not be loaded.
        """
        visited: set[ImageId] = set()
        for findings, unreadable in self.read():
            visited.update(findings)
            visited.update(unreadable)
        return visited

    def write(self, findings: Mapping[ImageId, Any], unreadable: Mapping[ImageId, str]) -> None:
        """Add one file.

        Args:
            findings: Plain numbers, numpy arrays, or tuples of them, by id.
            unreadable: Reason by id for images that could not be loaded.
        """
        tensors = tree_map(_as_tensor, list(findings.values()))
        part = dict(ids=list(findings), found=tensors, unreadable=dict(unreadable))
        content = tensor_bytes(part)
        write_bytes(self._path(content), content)

    def _path(self, content: bytes) -> Path:
        """The file that holds this content."""
        return self._folder / f'{self._name}_{digest_bytes(content)}.pt'


def _as_array(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.numpy()
    return value


def _as_tensor(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    return value
