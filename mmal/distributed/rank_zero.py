"""Work that one process of a group does for all of them."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar

from mmengine import dist
from torch.distributed import distributed_c10d

T = TypeVar('T')

_sync_counter = count()


def run_on_rank_zero(work: Callable[[], T]) -> T:
    """Do work in rank 0 and give its result, or its error, to every process.

    Every process has to call this, in the same order. Rank 0 sets a key in the store of the group
    when it is done; the others poll that key for as long as it takes. Only then is the result
    broadcast, so that the group's time limit, which is for messages between processes, does not
    limit the work.

    Args:
        work: Function without arguments, called in rank 0 alone. Its result is pickled
            if there are several processes.

    Returns:
        The result of ``work``, in every process.

    Raises:
        Exception: What ``work`` raises, in every process, so that none waits for it. In processes
            other than rank 0 it is a RuntimeError with the same text if it cannot be pickled.
    """
    message: list[Any] = [None, None]
    error: Exception | None = None
    if dist.is_main_process():
        try:
            message[0] = work()
        except Exception as e:  # noqa: BLE001  it is raised again, everywhere
            error = e
            message[1] = _picklable(e)
    _wait_for_rank_zero()
    dist.broadcast_object_list(message)
    if error is not None:
        raise error
    if message[1] is not None:
        raise message[1]
    result: T = message[0]
    return result


def _wait_for_rank_zero() -> None:
    """Wait until rank 0 has called this, too.

    Rank 0 counts up a key in the group's store; the others poll it. Polling has no time limit of
    its own, unlike a barrier. Every process must call this equally often, since the calls are
    numbered.
    """
    if not dist.is_distributed():
        return
    store = distributed_c10d._get_default_store()
    key = f'mmal/rank_zero/{next(_sync_counter)}'
    if dist.is_main_process():
        store.add(key, 1)
    start = time.monotonic()
    # Stores of torch 2.1 cannot be asked whether they have a key; to add nothing reads it.
    while store.add(key, 0) == 0:
        waited = time.monotonic() - start
        time.sleep(min(1.0, 0.001 + waited / 10))


def _picklable(error: Exception) -> Exception:
    """The error itself, or a RuntimeError with its text if it does not survive pickling."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001  errors of other libraries may raise anything when they are made again
        copy = None
    if type(copy) is type(error):
        return error
    return RuntimeError(f'{type(error).__name__}: {error}')
