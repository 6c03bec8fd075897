from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from mmengine.dist import get_rank, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop

from mmal.fileio.atomic import commit_file, oserror_with_path
from mmal.fileio.checksummed import digest_file, write_checksummed
from mmal.fileio.tensors import to_plain
from mmal.registry import HOOKS
from mmal.run.resume_points import INDEX_FILE, MAX_POINTS, _listed
from mmal.utils.rng import seed_all
from mmal.utils.seeding import derive_seed


@HOOKS.register_module()
class MidTrainingCheckpointHook(Hook):
    """Lets an interrupted training go on to the weights it would have had.

    It writes a checkpoint of model, optimizer and schedulers into the work_dir, at the end of an epoch or, in a
    training by iterations, of an iteration, but not more often than ``interval_seconds``; and it starts the generators anew from
    the seed and the number of each iteration, so that none of their states need be kept. With
    :func:`~mmal.datasets.seeded.seeded_loader` the data, too, depend on nothing else. State that hooks keep to
    themselves (EarlyStoppingHook) is not in a checkpoint of mmengine's and starts anew.

    Args:
        interval_seconds: Seconds. Defaults to 60.
    """

    priority = 'LOWEST'

    def __init__(self, interval_seconds: float = 60.0) -> None:
        self.interval_seconds, self._last, self._writing = interval_seconds, time.monotonic(), False

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Start the generators from the seed, the iteration and the process."""
        seed_all(derive_seed(runner.seed or 0, f'iteration/{runner.iter}/{get_rank()}'))

    def after_train_epoch(self, runner) -> None:
        """Write a point if it is time."""
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            self._write(runner, by_epoch=True)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Write a point if it is time."""
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            self._write(runner, by_epoch=False)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Make a point of tensors and plain values alone, which torch reads without being told to trust them."""
        if self._writing:
            checkpoint['message_hub']['log_scalars'] = {}  # buffers of the log
            for key in list(checkpoint):
                checkpoint[key] = to_plain(checkpoint[key])

    def _write(self, runner, by_epoch: bool) -> None:
        if not is_main_process() or time.monotonic() - self._last < self.interval_seconds:
            return
        folder, name = Path(runner.work_dir), f'resume_{runner.iter + (not by_epoch)}.pth'
        part, self._writing = folder / f'{name}.part', True
        try:
            with oserror_with_path(folder / name):
                runner.save_checkpoint(str(folder), part.name, by_epoch=by_epoch)
                commit_file(part, folder / name)
        finally:
            self._writing = False
            with suppress(OSError):
                part.unlink()
        before = [p for p in _listed(folder) if p['file'] != name][1 - MAX_POINTS :]
        write_checksummed(
            folder / INDEX_FILE,
            dict(points=[*before, dict(file=name, sha256=digest_file(folder / name))]),
        )
        for path in folder.glob('resume_*.pth'):
            if path.name not in [name, *(p['file'] for p in before)]:
                path.unlink()
        self._last = time.monotonic()
