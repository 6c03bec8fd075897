"""The hook that lets an interrupted training continue."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmengine.dist import get_rank, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmal.fileio.atomic import commit_file, oserror_with_path
from mmal.fileio.checksummed import digest_file, write_checksummed
from mmal.fileio.tensors import to_plain
from mmal.registry import HOOKS
from mmal.run.resume_points import INDEX_FILE, MAX_POINTS, ResumePoint, read_points_index
from mmal.utils.rng import seed_all
from mmal.utils.seeding import derive_seed


@HOOKS.register_module()
class MidTrainingCheckpointHook(Hook):  # type: ignore[misc]  # the host is untyped
    """Lets an interrupted training continue to the weights it would have had.

    It writes a checkpoint of model, optimizer and schedulers into the work_dir, at the end of an
    epoch or, in a training by iterations, of an iteration, but not more often than
    ``interval_seconds``. It also starts the random generators anew from the seed and the number of
    each iteration, so that none of their states needs to be kept. With
    :func:`~mmal.datasets.seeded.seeded_loader` the data, too, depend on nothing else. State that
    hooks keep to themselves (EarlyStoppingHook) is not in a checkpoint of mmengine's and starts
    anew.

    Args:
        interval_seconds: Least number of seconds between two checkpoints. Defaults to 60.
    """

    priority = 'LOWEST'

    def __init__(self, interval_seconds: float = 60.0) -> None:
        self.interval_seconds = interval_seconds
        self._last_written = time.monotonic()
        self._is_writing = False

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Start the generators from the seed, the iteration and the process.

        Args:
            runner: Runner of the training.
            batch_idx: Not used.
            data_batch: Not used.
        """
        seed_all(derive_seed(runner.seed or 0, f'iteration/{runner.iter}/{get_rank()}'))

    def after_train_epoch(self, runner: Runner) -> None:
        """Write a checkpoint if it is time, in a training by epochs.

        Args:
            runner: Runner of the training.
        """
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            self._write_if_due(runner, by_epoch=True)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write a checkpoint if it is time, in a training by iterations.

        Args:
            runner: Runner of the training.
            batch_idx: Not used.
            data_batch: Not used.
            outputs: Not used.
        """
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            self._write_if_due(runner, by_epoch=False)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Make a checkpoint of tensors and plain values alone, which torch reads without being told
        to trust it.

        Args:
            runner: Runner of the training.
            checkpoint: What is about to be saved. It is changed in place.

        Raises:
            TypeError: If it holds a value that cannot be made plain.
        """
        if not self._is_writing:
            return
        # Buffers of the log.
        checkpoint['message_hub']['log_scalars'] = {}
        for key in list(checkpoint):
            checkpoint[key] = to_plain(checkpoint[key])

    def _write_if_due(self, runner: Runner, by_epoch: bool) -> None:
        if not is_main_process():
            return
        if time.monotonic() - self._last_written < self.interval_seconds:
            return
        folder = Path(runner.work_dir)
        iteration = runner.iter if by_epoch else runner.iter + 1
        target = folder / f'resume_{iteration}.pth'
        self._save(runner, target, by_epoch)
        earlier = [point for point in read_points_index(folder) if point['file'] != target.name]
        point = ResumePoint(file=target.name, sha256=digest_file(target))
        points = [*earlier[1 - MAX_POINTS :], point]
        write_checksummed(folder / INDEX_FILE, dict(points=points))
        kept = {point['file'] for point in points}
        for path in folder.glob('resume_*.pth'):
            if path.name not in kept:
                path.unlink()
        self._last_written = time.monotonic()

    def _save(self, runner: Runner, target: Path, by_epoch: bool) -> None:
        partial = target.with_name(f'{target.name}.part')
        self._is_writing = True
        try:
            with oserror_with_path(target):
                runner.save_checkpoint(str(target.parent), partial.name, by_epoch=by_epoch)
                commit_file(partial, target)
        finally:
            self._is_writing = False
            with suppress(OSError):
                partial.unlink()
