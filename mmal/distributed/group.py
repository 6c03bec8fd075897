"""What the processes of a group say to each other where the host libraries must not know of the group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mmengine import dist
from torch import Tensor
from torch import distributed as torch_dist


class Group:
    """The default process group, or this process alone. Made outside of a task's loss mode, it works within, too.

    Attributes:
        rank: Of this process.
        world: Number of processes.

    Args:
        alone: This process alone, whatever group it is in. Defaults to False.
    """

    def __init__(self, alone: bool = False) -> None:
        self.rank, self.world = (0, 1) if alone else dist.get_dist_info()

    def all_reduce(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over the processes, in place."""
        if self.world > 1:
            torch_dist.all_reduce(tensor)
        return tensor

    def all_gather(self, thing: Any) -> list:
        """What each process has, by rank, in all of them."""
        if self.world == 1:
            return [thing]
        parts: list = [None] * self.world
        torch_dist.all_gather_object(parts, thing)
        return parts

    def gather(self, thing: Any) -> list:
        """What each process has, by rank, in rank 0; nothing in the others."""
        if self.world == 1:
            return [thing]
        parts: list | None = [None] * self.world if self.rank == 0 else None
        torch_dist.gather_object(thing, parts)
        return parts or []

    def broadcast(self, thing: Any) -> Any:
        """What rank 0 has, in all of them."""
        return self.all_gather(thing)[0]

    def scatter(self, parts: Callable[[], list]) -> Any:
        """This process's part of what rank 0 has: ``parts()`` gives one for each process, and is called there alone."""
        if self.world == 1:
            return parts()[0]
        mine: list = [None]
        torch_dist.scatter_object_list(mine, parts() if self.rank == 0 else None)
        return mine[0]

    def shard(self, order: Sequence[int], size: int) -> list[int]:
        """This process's part of an order, in whole batches of ``size``: batch b is that of process b % world."""
        starts = range(self.rank * size, len(order), self.world * size)
        return [i for start in starts for i in order[start : start + size]]
