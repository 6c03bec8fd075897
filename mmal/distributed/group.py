"""Messages between the processes of a group where the host libraries must not know of the group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from mmengine import dist
from torch import Tensor
from torch import distributed as torch_dist

T = TypeVar('T')


class Group:
    """The default process group, or this process alone.

    The methods are torch's collectives for objects: every process of the group has to call them, in
    the same order. A group that was made outside of an adapter's loss mode also works inside of it,
    where mmengine's functions would believe that there is no group.

    Attributes:
        rank: Rank of this process in the group.
        world: Number of processes in the group.

    Args:
        alone: Whether to take this process alone, whatever group it is in. Defaults to False.

    Raises:
        RuntimeError: If the group is hidden, as in an adapter's loss mode: this process would
            wrongly work alone.
    """

    def __init__(self, alone: bool = False) -> None:
        self.rank = 0
        self.world = 1
        self._device = torch.device('cpu')
        if not alone:
            _refuse_hidden_group()
            self.rank, self.world = dist.get_dist_info()
        if self.world > 1:
            self._device = dist.get_comm_device()

    def all_reduce(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over the processes, in place.

        NCCL, the backend of GPUs, cannot send what lies in the memory of a CPU. Such a tensor makes
        the way over this process's GPU.

        Args:
            tensor: Summand of this process; it becomes the sum. All have the same shape.

        Returns:
            The same tensor.
        """
        if self.world == 1:
            return tensor
        if tensor.device.type == 'cpu' and self._device.type != 'cpu':
            on_device = tensor.to(self._device)
            torch_dist.all_reduce(on_device)
            return tensor.copy_(on_device)
        torch_dist.all_reduce(tensor)
        return tensor

    def all_gather(self, value: T) -> list[T]:
        """Give every process the values of all.

        Args:
            value: Value of this process; it is pickled. A tensor should be on the CPU: one of a GPU
                would take up memory of that GPU in every process.

        Returns:
            The values of all processes by rank.
        """
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        torch_dist.all_gather_object(values, value)
        return values

    def gather(self, value: T) -> list[T]:
        """Give rank 0 the values of all processes.

        Args:
            value: Value of this process; it is pickled.

        Returns:
            In rank 0 the values of all processes by rank, in the others an empty list.
        """
        if self.world == 1:
            return [value]
        if self.rank != 0:
            torch_dist.gather_object(value)
            return []
        values: list[Any] = [None] * self.world
        torch_dist.gather_object(value, values)
        return values

    def broadcast(self, value: T) -> T:
        """Give every process the value of rank 0.

        Args:
            value: Value of this process; that of rank 0 is pickled, the others are ignored.

        Returns:
            The value of rank 0.
        """
        if self.world == 1:
            return value
        values: list[Any] = [value if self.rank == 0 else None]
        torch_dist.broadcast_object_list(values)
        result: T = values[0]
        return result

    def scatter(self, parts: Callable[[], list[T]]) -> T:
        """Give each process its part of what rank 0 has.

        Args:
            parts: Returns one part for each process, by rank; each is pickled. It is called in
                rank 0 alone.

        Returns:
            The part of this process.
        """
        if self.world == 1:
            return parts()[0]
        own_part: list[Any] = [None]
        torch_dist.scatter_object_list(own_part, parts() if self.rank == 0 else None)
        result: T = own_part[0]
        return result

    def shard(self, order: Sequence[T], size: int) -> list[T]:
        """Take this process's part of an order, in whole batches; no message is sent.

        Args:
            order: Items that all processes share, the same in all of them.
            size: Batch size. Batch b belongs to the process of rank b modulo the number of
                processes.

        Returns:
            The items of this process's batches, in order.
        """
        own_items: list[T] = []
        for start in range(self.rank * size, len(order), self.world * size):
            own_items.extend(order[start : start + size])
        return own_items


def _refuse_hidden_group() -> None:
    """Compare the function that an adapter's loss mode replaces with torch's own answer."""
    if torch_dist.distributed_c10d.is_initialized() and not torch_dist.is_initialized():
        raise RuntimeError(
            "The process group is hidden here, as in an adapter's loss mode: make the Group before."
        )
