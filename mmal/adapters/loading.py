"""Load chosen images of a dataset in batches; a broken image is a value, not a crash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader, Dataset

from mmal.errors import InputError

PIPELINE_MISTAKES = (KeyError, TypeError, AttributeError, NameError, ImportError)
"""Errors that show a mistake in a pipeline, not in an image; they are raised."""


@dataclass
class Unreadable:
    """Stands for an image that could not be loaded.

    Attributes:
        reason: Type and message of the error, and the path of the image.
    """

    reason: str


class _TolerantDataset(Dataset[tuple[int, Any]]):
    """Gives (index, item), with an :class:`Unreadable` for an item that cannot be loaded."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[int, Any]:
        try:
            return index, self.dataset[index]
        except PIPELINE_MISTAKES:
            raise
        except Exception as e:  # noqa: BLE001  whatever a codec raises becomes a named image
            return index, Unreadable(f'{type(e).__name__}: {e} ({self._path(index)})')

    def _path(self, index: int) -> str:
        path = f'image number {index}'
        if hasattr(self.dataset, 'get_data_info'):
            path = self.dataset.get_data_info(index).get('img_path', path)
        return path


def batches(
    dataset: Any, order: Sequence[int], batch_size: int, num_workers: int = 0
) -> Iterator[list[tuple[int, Any]]]:
    """Load items of a dataset in a given order.

    Args:
        dataset: The dataset.
        order: Indices of the items.
        batch_size: Number of items per batch; the last batch may be smaller.
        num_workers: Number of worker processes. Defaults to 0: items are loaded in this process.

    Yields:
        Lists of (index, item); an item that cannot be loaded is an :class:`Unreadable`.
    """
    loader: DataLoader[tuple[int, Any]] = DataLoader(
        _TolerantDataset(dataset),
        batch_size=batch_size,
        sampler=list(order),
        num_workers=num_workers,
        collate_fn=list,
    )
    yield from loader


def items_or_raise(batch: list[tuple[int, Any]], set_name: str) -> list[Any]:
    """Return the items of a batch whose images must all be readable.

    Args:
        batch: A batch of :func:`batches`.
        set_name: Name of the set in the error message.

    Raises:
        RuntimeError: If one of them is not readable.
    """
    for _, item in batch:
        if isinstance(item, Unreadable):
            raise RuntimeError(f'An image of the {set_name} cannot be read: {item.reason}')
    return [item for _, item in batch]


def first_item(dataset: Any, set_name: str, tries: int = 20) -> Any:
    """Return the first item that can be loaded.

    Args:
        dataset: The dataset.
        set_name: Name of the set in the error message.
        tries: Number of items to try. Defaults to 20.

    Raises:
        InputError: If none of them can be loaded.
    """
    tolerant = _TolerantDataset(dataset)
    reason = 'it is empty'
    for index in range(min(tries, len(dataset))):
        _, item = tolerant[index]
        if not isinstance(item, Unreadable):
            return item
        reason = item.reason
    raise InputError(f'No image of the {set_name} can be read; the last one tried says: {reason}')
