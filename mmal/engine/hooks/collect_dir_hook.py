"""Where the processes of an evaluation put their results together."""

from __future__ import annotations

import os.path as osp

from mmengine.hooks import Hook


class CollectDirHook(Hook):
    """Has metrics that gather by files do so in the Runner's work_dir, which all processes see and may write into.

    By themselves they gather in ``.dist_test`` of the current folder.
    """

    def before_val(self, runner) -> None:
        """Before an evaluation on the validation set."""
        set_collect_dir(runner.val_loop.evaluator, runner.work_dir)

    def before_test(self, runner) -> None:
        """Before one on the test set."""
        set_collect_dir(runner.test_loop.evaluator, runner.work_dir)


def set_collect_dir(evaluator, folder: str) -> None:
    for n, metric in enumerate(evaluator.metrics):
        if metric.collect_device == 'cpu' and metric.collect_dir is None:
            metric.collect_dir = osp.join(folder, f'.results_{n}')
