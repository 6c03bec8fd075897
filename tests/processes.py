"""Run a function in several real processes of one group."""

import os
import pickle
import traceback
from datetime import timedelta

import torch.distributed


def apart(world, folder, work):
    """What ``work(rank)`` gives in rank 0 of several processes; AssertionError if any of them fails."""
    folder.mkdir(exist_ok=True)
    children = []
    for rank in range(world):
        child = os.fork()
        if not child:
            code = 1
            try:
                result = work(rank)
                (folder / f'result_{rank}').write_bytes(pickle.dumps(result if rank == 0 else None))
                code = 0
            except BaseException:  # noqa: BLE001  told below
                (folder / f'error_{rank}').write_text(traceback.format_exc())
            finally:
                os._exit(code)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * world, ''.join(p.read_text() for p in sorted(folder.glob('error_*')))
    return pickle.loads((folder / 'result_0').read_bytes())


def together(world, folder, work):
    """What ``work()`` gives in rank 0 of a gloo group of ``world`` processes; AssertionError if any of them fails."""
    def member(rank):
        torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank,
                                             world_size=world, timeout=timedelta(seconds=60))
        return work()

    try:
        return apart(world, folder, member)
    finally:
        (folder / 'store').unlink(missing_ok=True)
