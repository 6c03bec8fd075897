"""Training data that depend on the seed and on their place in the stream of draws.

They depend neither on the process or worker that loads them nor on what was loaded before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any

from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from torch.utils.data import Sampler

from mmal.registry import DATA_SAMPLERS, DATASETS
from mmal.utils.rng import seeded_rng
from mmal.utils.seeding import derive_seed

ROW_BITS = 40
"""Number of a draw's low bits that hold the row; those above hold its place in the stream."""


@DATASETS.register_module()
class SeededDataset:
    """A dataset whose random transforms depend on the draw alone.

    Its indices are the draws of :class:`PositionTaggedSampler`. Attributes that it lacks are those
    of the dataset within, and attributes that are set are set there.

    Attributes:
        dataset: The dataset within.
        seed: Seed of the training.

    Args:
        dataset: Config of the dataset within.
        seed: Seed of the training.
    """

    dataset: Any
    seed: int

    def __init__(self, dataset: dict[str, Any], seed: int) -> None:
        # Plain assignment would set the attributes of the dataset within.
        self.__dict__['dataset'] = MMENGINE_DATASETS.build(dataset)
        self.__dict__['seed'] = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, draw: int) -> Any:
        with seeded_rng(derive_seed(self.seed, f'draw/{draw}')):
            return self.dataset[row_of_tag(draw)]

    def get_data_info(self, draw: int) -> dict[str, Any]:
        """Read what the dataset within knows of an image, for batch samplers.

        Args:
            draw: Draw of the image.
        """
        info: dict[str, Any] = self.dataset.get_data_info(row_of_tag(draw))
        return info

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or name == 'dataset':
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __setattr__(self, name: str, value: Any) -> None:
        # As PipelineSwitchHook does.
        setattr(self.dataset, name, value)


def row_of_tag(draw: int) -> int:
    """Find the dataset's row of a draw.

    Args:
        draw: A draw of :class:`PositionTaggedSampler`.
    """
    return draw & ((1 << ROW_BITS) - 1)


# A Sampler, since mmdet checks the type.
@DATA_SAMPLERS.register_module()
class PositionTaggedSampler(Sampler[int]):
    """A data sampler that yields draws: numbers that hold a row and its place in the stream.

    The stream is that of all processes together. The low :data:`ROW_BITS` bits of a draw hold the
    row. Attributes that this sampler lacks are those of the one within.

    Attributes:
        dataset: The dataset that is sampled.
        sampler: The data sampler within.

    Args:
        dataset: The dataset that is sampled.
        sampler: Config of the data sampler within, which yields rows.
        seed: Seed of the data sampler within. Defaults to None: it chooses one.
    """

    def __init__(self, dataset: Sized, sampler: dict[str, Any], seed: int | None = None) -> None:
        self.dataset = dataset
        defaults = dict(dataset=dataset, seed=seed)
        self.sampler = MMENGINE_DATA_SAMPLERS.build(sampler, default_args=defaults)
        self._start = 0
        self._epoch = 0
        # mmengine skips draws only if there is such a method.
        if hasattr(self.sampler, 'skip'):
            self.skip = self._skip

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[int]:
        rank, world = get_dist_info()
        place = self._epoch * len(self.dataset) + rank + self._start * world
        for row in self.sampler:
            yield place << ROW_BITS | row
            place += world

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, on which rows and places depend.

        Args:
            epoch: Number of the epoch, from 0.
        """
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


def seeded_loader(loader: dict[str, Any], seed: int) -> dict[str, Any]:
    """Put :class:`SeededDataset` and :class:`PositionTaggedSampler` into a config of a data loader.

    Args:
        loader: A ``train_dataloader`` of a config. It is left as it is.
        seed: Seed of the training.

    Returns:
        The config with both around its dataset and its data sampler.
    """
    return dict(
        loader,
        dataset=dict(type='mmal.SeededDataset', dataset=loader['dataset'], seed=seed),
        sampler=dict(type='mmal.PositionTaggedSampler', sampler=loader['sampler']),
    )
