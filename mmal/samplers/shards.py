"""What a pass over the pool has found so far, on disk: a kill loses its last minute at most."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from ..artifacts import load_tensors, save_tensors


class Shards:
    """Files of one pass, each written whole by one process; any number of processes may go on with them.

    Args:
        folder: Of the passes of a round.
        name: Of the pass.
    """

    def __init__(self, folder: str | Path, name: str) -> None:
        self._folder, self._name = Path(folder), name

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f'{self._name}_*.pt'))

    def read(self) -> Iterator[tuple[dict, dict]]:
        """Findings by id and reasons by id, a file at a time."""
        for path in self._files():
            part = load_tensors(path)
            found = tree_map(lambda x: x.numpy() if isinstance(x, Tensor) else x, part['found'])
            yield dict(zip(part['ids'], found, strict=True)), part['unreadable']

    def ids(self) -> set:
        """Of all images the pass has visited."""
        return {i for found, unreadable in self.read() for i in (*found, *unreadable)}

    def write(self, rank: int, found: dict[Any, Any], unreadable: dict[Any, str]) -> None:
        """Add a file.

        Args:
            rank: Of this process.
            found: Plain numbers, numpy arrays, or tuples of them, by id.
            unreadable: Reasons by id.
        """
        n = 1 + max((int(p.stem.rsplit('_', 1)[1]) for p in self._files() if f'_rank{rank}_' in p.stem), default=-1)
        values = tree_map(lambda x: torch.from_numpy(x) if isinstance(x, np.ndarray) else x, list(found.values()))
        save_tensors(self._folder / f'{self._name}_rank{rank}_{n:05d}.pt',
                     dict(ids=list(found), found=values, unreadable=unreadable))
