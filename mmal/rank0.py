"""What one process of a group does for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mmengine import dist

T = TypeVar('T')


def on_rank_0(work: Callable[[], T]) -> T:
    """Do ``work`` in rank 0 and give its result to all; its error is raised in all, so that none waits for it."""
    said = [None, None]
    if dist.is_main_process():
        try:
            said[0] = work()
        except Exception as e:  # noqa: BLE001  it is raised again, everywhere
            said[1] = e
    dist.broadcast_object_list(said)
    if said[1] is not None:
        raise said[1]
    return said[0]
