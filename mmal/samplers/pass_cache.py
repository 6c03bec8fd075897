"""What a pass over the pool has found so far, on disk: a kill loses its last minute at most."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from mmal.fileio.atomic import oserror_with_path, write_bytes
from mmal.fileio.checksummed import digest_bytes
from mmal.fileio.tensors import load_tensors, tensor_bytes


class PassCache:
    """Files of one pass, each written whole by one process; any number of processes may go on with them.

    A file is named after the checksum of its content: no two processes write different ones under one name.

    Args:
        folder: Of the passes of a round.
        name: Of the pass.
        logger: Warned of files that are damaged.
    """

    def __init__(self, folder: str | Path, name: str, logger) -> None:
        self._folder, self._name, self._logger = Path(folder), name, logger

    def read(self) -> Iterator[tuple[dict, dict]]:
        """Findings by id and reasons by id, a file at a time. One process calls it: damaged files are removed."""
        for path in sorted(self._folder.glob(f'{self._name}_*.pt')):
            with oserror_with_path(path):
                content = path.read_bytes()
            if path.stem != f'{self._name}_{digest_bytes(content)}':
                self._logger.warning(
                    f'{path} is damaged: its content does not match its checksum. It is removed, and '
                    'its images are visited again.'
                )
                path.unlink()
                continue
            part = load_tensors(io.BytesIO(content))
            found = tree_map(lambda x: x.numpy() if isinstance(x, Tensor) else x, part['found'])
            yield dict(zip(part['ids'], found, strict=True)), part['unreadable']

    def ids(self) -> set:
        """Of all images the pass has visited."""
        return {i for found, unreadable in self.read() for i in (*found, *unreadable)}

    def write(self, found: dict[Any, Any], unreadable: dict[Any, str]) -> None:
        """Add a file.

        Args:
            found: Plain numbers, numpy arrays, or tuples of them, by id.
            unreadable: Reasons by id.
        """
        values = tree_map(
            lambda x: torch.from_numpy(x) if isinstance(x, np.ndarray) else x, list(found.values())
        )
        content = tensor_bytes(dict(ids=list(found), found=values, unreadable=unreadable))
        write_bytes(self._folder / f'{self._name}_{digest_bytes(content)}.pt', content)
