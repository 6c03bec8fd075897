"""Messages between the processes of a group where the host libraries must not know of the group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

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
    """

    def __init__(self, alone: bool = False) -> None:
        self.rank = 0
        self.world = 1
        if not alone:
            self.rank, self.world = dist.get_dist_info()

    def all_reduce(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over the processes, in place.

        Args:
            tensor: Summand of this process; it becomes the sum. All have the same shape.

        Returns:
            The same tensor.
        """
        if self.world > 1:
            torch_dist.all_reduce(tensor)
        return tensor

    def all_gather(self, value: T) -> list[T]:
        """Give every process the values of all.

        Args:
            value: Value of this process; it is pickled.

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
