"""What one process of a group does for all."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from mmengine import dist
from torch.distributed import distributed_c10d

T = TypeVar('T')

_sync_counter = count()


def run_on_rank_zero(work: Callable[[], T]) -> T:
    """Do ``work`` in rank 0 and give its result to all; its error is raised in all, so that none waits for it.

    The others wait as long as it takes: the time limit of the group is for messages between processes.
    """
    said, error = [None, None], None
    if dist.is_main_process():
        try:
            said[0] = work()
        except Exception as e:  # noqa: BLE001  it is raised again, everywhere
            error, said[1] = e, _picklable(e)
    _wait_for_rank_0()
    dist.broadcast_object_list(said)
    if said[1] is not None:
        raise error or said[1]
    return said[0]


def _wait_for_rank_0() -> None:
    """Return when rank 0 has come here, too. It is asked for in the group's store, which has no time limit of its own.

    Every process calls it the same number of times.
    """
    if not dist.is_distributed():
        return
    store, key = distributed_c10d._get_default_store(), f'mmal/rank_zero/{next(_sync_counter)}'
    if dist.is_main_process():
        store.set(key, '')
    began = time.monotonic()
    while not store.check([key]):
        time.sleep(min(1.0, 0.001 + (time.monotonic() - began) / 10))


def _picklable(error: Exception) -> Exception:
    """The error, or what it says if it does not survive the way to another process."""
    try:
        if type(pickle.loads(pickle.dumps(error))) is type(error):
            return error
    except Exception:  # noqa: BLE001  errors of other libraries may raise anything when they are made again
        pass
    return RuntimeError(f'{type(error).__name__}: {error}')
