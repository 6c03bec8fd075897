"""Hooks for configs under test, that make one rank fail. A config has them by ``custom_imports``."""

import os
import signal
import time

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class FailingRank(Hook):
    """Raise, hang or vanish in the first training iteration of one rank.

    Args:
        rank: Which.
        how: 'raise', 'hang' or 'vanish' with the launcher of its machine, as if that had lost its power.
    """

    def __init__(self, rank: int, how: str) -> None:
        self.rank, self.how = rank, how

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if get_rank() == self.rank:
            if self.how == 'raise':
                raise RuntimeError(f'rank {self.rank} was told to fail')
            if self.how == 'vanish':
                for process in (os.getppid(), os.getpid()):
                    os.kill(process, signal.SIGKILL)
            time.sleep(600)
