"""Where the processes of an evaluation gather their results."""

from __future__ import annotations

import os.path as osp

from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner


class CollectDirHook(Hook):  # type: ignore[misc]  # the host is untyped
    """Makes metrics that gather by files do so in the Runner's work_dir, which all processes see
    and may write into.

    By themselves they gather in ``.dist_test`` of the current folder.
    """

    def before_val(self, runner: Runner) -> None:
        """Set the folder before an evaluation on the validation set.

        Args:
            runner: The Runner.
        """
        set_collect_dir(runner.val_loop.evaluator, runner.work_dir)

    def before_test(self, runner: Runner) -> None:
        """Set the folder before an evaluation on the test set.

        Args:
            runner: The Runner.
        """
        set_collect_dir(runner.test_loop.evaluator, runner.work_dir)


def set_collect_dir(evaluator: Evaluator, folder: str) -> None:
    """Set the folder in which the metrics of an evaluator gather, unless they gather in another
    way.

    Args:
        evaluator: The evaluator.
        folder: The folder.
    """
    for number, metric in enumerate(evaluator.metrics):
        if metric.collect_device == 'cpu' and metric.collect_dir is None:
            metric.collect_dir = osp.join(folder, f'.results_{number}')
