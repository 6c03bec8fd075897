"""Training data that depend on the seed and the place in the stream, not on who loads them or what came before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from torch.utils.data import Sampler

from mmal.registry import DATA_SAMPLERS, DATASETS
from mmal.utils.rng import seeded_rng
from mmal.utils.seeding import derive_seed

ROW_BITS = 40
"""Bits of a draw that are the row; those above are its place in the stream."""


@DATASETS.register_module()
class SeededDataset:
    """A dataset whose random transforms depend on the draw alone, for :class:`PositionTaggedSampler`.

    Whatever else is asked of it is asked of the dataset within.

    Args:
        dataset: Config of the dataset within.
        seed: Of the training.
    """

    def __init__(self, dataset: dict, seed: int) -> None:
        self.__dict__.update(dataset=MMENGINE_DATASETS.build(dataset), seed=seed)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, draw: int) -> Any:
        with seeded_rng(derive_seed(self.seed, f'draw/{draw}')):
            return self.dataset[row_of_tag(draw)]

    def get_data_info(self, draw: int) -> dict:
        """What batch samplers ask."""
        return self.dataset.get_data_info(row_of_tag(draw))

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or name == 'dataset':
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.dataset, name, value)  # as PipelineSwitchHook does


def row_of_tag(draw: int) -> int:
    """The dataset's row of a draw."""
    return draw & ((1 << ROW_BITS) - 1)


@DATA_SAMPLERS.register_module()
class PositionTaggedSampler(Sampler):  # mmdet asks for its type
    """A data sampler that yields draws: the row, and its place in the stream of all processes above it.

    Args:
        dataset: The dataset.
        sampler: Config of the data sampler within.
        seed: Of the training.
    """

    def __init__(self, dataset, sampler: dict, seed: int | None = None) -> None:
        self.dataset = dataset
        self.sampler = MMENGINE_DATA_SAMPLERS.build(
            sampler, default_args=dict(dataset=dataset, seed=seed)
        )
        self._start = self._epoch = 0
        if hasattr(self.sampler, 'skip'):  # mmengine asks for it
            self.skip = self._skip

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[int]:
        rank, world = get_dist_info()
        place = self._epoch * len(self.dataset) + rank + self._start * world
        for index in self.sampler:
            yield place << ROW_BITS | index
            place += world

    def set_epoch(self, epoch: int) -> None:
        """Tell the sampler within."""
        self._epoch = epoch
        self.sampler.set_epoch(epoch)

    def _skip(self, draws: int) -> None:
        """Begin after so many draws of this process."""
        self.sampler.skip(draws)
        self._start = draws

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or name == 'sampler':
            raise AttributeError(name)
        return getattr(self.sampler, name)


def seeded_loader(loader: dict, seed: int) -> dict:
    """The config of a train_dataloader with both around its dataset and its sampler."""
    return dict(
        loader,
        dataset=dict(type='mmal.SeededDataset', dataset=loader['dataset'], seed=seed),
        sampler=dict(type='mmal.PositionTaggedSampler', sampler=loader['sampler']),
    )
