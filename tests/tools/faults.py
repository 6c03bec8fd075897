"""Hooks for configs under test, that make one rank fail. A config has them by ``custom_imports``."""

import time

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class FailingRank(Hook):
    """Raise, or hang, in the first training iteration of one rank.

    Args:
        rank: Which.
        how: 'raise' or 'hang'.
    """

    def __init__(self, rank: int, how: str) -> None:
        self.rank, self.how = rank, how

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if get_rank() == self.rank:
            if self.how == 'raise':
                raise RuntimeError('rank 1 was told to fail')
            time.sleep(600)
