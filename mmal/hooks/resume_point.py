from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import get_rank, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop
from torch import Tensor

from ..artifacts import naming, put_in_place
from ..datasets.seeded import seed_all
from ..pool import derive_seed
from ..registry import HOOKS
from ..sealed import Damaged, digest_file, fault, read_sealed, write_sealed

KEPT = 2
"""Points kept: if the last one turns out damaged, there is the one before it."""

LIST = 'resume.json'


@HOOKS.register_module()
class ResumePoint(Hook):
    """Lets an interrupted training go on to the weights it would have had.

    It writes a checkpoint of model, optimizer and schedulers into the work_dir, at the end of an epoch or, in a
    training by iterations, of an iteration, but not more often than ``every``; and it starts the generators anew from
    the seed and the number of each iteration, so that none of their states need be kept. With
    :func:`~mmal.datasets.seeded.seeded_loader` the data, too, depend on nothing else. State that hooks keep to
    themselves (EarlyStoppingHook) is not in a checkpoint of mmengine's and starts anew.

    Args:
        every: Seconds. Defaults to 60.
    """

    priority = 'LOWEST'

    def __init__(self, every: float = 60.0) -> None:
        self.every, self._last, self._writing = every, time.monotonic(), False

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
                checkpoint[key] = plain(checkpoint[key])

    def _write(self, runner, by_epoch: bool) -> None:
        if not is_main_process() or time.monotonic() - self._last < self.every:
            return
        folder, name = Path(runner.work_dir), f'resume_{runner.iter + (not by_epoch)}.pth'
        part, self._writing = folder / f'{name}.part', True
        try:
            with naming(folder / name):
                runner.save_checkpoint(str(folder), part.name, by_epoch=by_epoch)
                put_in_place(part, folder / name)
        finally:
            self._writing = False
            with suppress(OSError):
                part.unlink()
        before = [p for p in _listed(folder) if p['file'] != name][1 - KEPT:]
        write_sealed(folder / LIST, dict(points=[*before, dict(file=name, sha256=digest_file(folder / name))]))
        for path in folder.glob('resume_*.pth'):
            if path.name not in [name, *(p['file'] for p in before)]:
                path.unlink()
        self._last = time.monotonic()


def plain(value: Any) -> Any:
    """A copy in which numpy's numbers are Python's, and entries of dicts that are no values (functions) are left out.

    Raises:
        TypeError: If there is anything else but tensors, text, numbers, and lists, tuples and dicts of them.
    """
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if not callable(v) or isinstance(v, Tensor)}
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value)) if type(value) in (list, tuple) else [plain(v) for v in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if value is None or isinstance(value, (Tensor, str, bytes, bool, int, float)):
        return value
    raise TypeError(f'ResumePoint: a checkpoint of this training holds a {type(value).__name__}, which cannot be read '
                    'back safely. Report it; custom_hooks = [..., dict(type="mmal.ResumePoint", every=float("inf"))] '
                    'goes without.')


def last_point(folder: str | Path, logger) -> Path | None:
    """The newest whole point of a training that was interrupted, or None.

    Args:
        folder: The training's work_dir.
        logger: Told of points that are not whole.
    """
    for point in reversed(_listed(Path(folder))):
        path = Path(folder) / point['file']
        wrong = fault(path, point['sha256'])
        if wrong is None:
            return path
        logger.warning(f'{wrong}; the point before it is looked at.')
    return None


def remove_points(folder: str | Path) -> None:
    """Remove what an interrupted training would go on from."""
    (Path(folder) / LIST).unlink(missing_ok=True)
    for path in Path(folder).glob('resume_*.pth*'):
        path.unlink()


def _listed(folder: Path) -> list[dict]:
    if not (folder / LIST).exists():
        return []
    try:
        return read_sealed(folder / LIST)['points']
    except Damaged:  # then the training starts from its beginning, with the same result
        return []
