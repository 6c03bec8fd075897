"""Feed chosen images of a dataset, in batches, to whoever asks; broken images are values, not crashes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader, Dataset

from mmal.errors import InputError


@dataclass
class Unreadable:
    """Stands for an image that could not be loaded."""

    reason: str


class _Tolerant(Dataset):
    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[int, Any]:
        try:
            return index, self.dataset[index]
        except (KeyError, TypeError, AttributeError, NameError, ImportError):
            raise  # a mistake in a pipeline, not in an image
        except Exception as e:  # noqa: BLE001  whatever a codec raises becomes a named, counted image
            return index, Unreadable(f'{type(e).__name__}: {e} ({self._path(index)})')

    def _path(self, index: int) -> str:
        info = getattr(self.dataset, 'get_data_info', lambda index: {})(index)
        return info.get('img_path', f'image number {index}')


def batches(
    dataset: Dataset, order: Sequence[int], batch_size: int, num_workers: int = 0
) -> Iterator[list[tuple[int, Any]]]:
    """Yield lists of (index, item) in the given order; an item that cannot be loaded is an :class:`Unreadable`."""
    loader = DataLoader(
        _Tolerant(dataset),
        batch_size=batch_size,
        sampler=list(order),
        num_workers=num_workers,
        collate_fn=list,
    )
    yield from loader


def items_or_raise(batch: list[tuple[int, Any]], what: str) -> list[Any]:
    """The items of a batch whose images must all be readable.

    Raises:
        RuntimeError: If one is not; the message names ``what`` set it belongs to.
    """
    for _, item in batch:
        if isinstance(item, Unreadable):
            raise RuntimeError(f'An image of the {what} cannot be read: {item.reason}')
    return [item for _, item in batch]


def first_item(dataset: Dataset, what: str, tries: int = 20) -> Any:
    """The first item that can be loaded.

    Raises:
        InputError: If none of the first ``tries`` can.
    """
    reason = 'it is empty'
    for index in range(min(tries, len(dataset))):
        _, item = _Tolerant(dataset)[index]
        if not isinstance(item, Unreadable):
            return item
        reason = item.reason
    raise InputError(f'No image of the {what} can be read; the last one tried says: {reason}')
