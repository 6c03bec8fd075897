from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from torch import Tensor

from ..artifacts import save_tensors, write_json
from ..errors import InputError
from ..influence import LiSSA, cosine, gradient, hvp, restrict_grad, select_parameters, unflatten
from ..progress import track
from ..registry import HOOKS, SOLVERS
from ..tasks import build_data, build_task
from ..tasks.loading import batches, items_or_raise

SOLVERS.register_module(module=LiSSA)

SIMILAR = 0.99
"""Above this cosine between s_test and v, the Hessian has changed nothing that matters."""


@HOOKS.register_module()
class StestHook(Hook):
    """Computes s_test = (H + lambda I)^-1 v after training and writes it (paper, Algorithm 3).

    v is the *mean* over the reference set of the gradients of the per-image losses; H is the mean Hessian over the
    labeled images; both on ``params`` only, by running statistics, without augmentation. ``s_test.pth`` holds a tensor
    a parameter; ``s_test.json`` beside it the settings, the convergence trace, and cos(s_test, v): near 1, influence
    is mere gradient similarity.

    In an :class:`~mmal.loop.ActiveLoop` the loop calls it in its own phase. In any other training it runs after the
    last iteration, on the whole training set, and writes to the work_dir.

    Args:
        params: Patterns of parameter names: a full name, a module's name, or a shell wildcard. The last layers.
        reference: 'val' (the dataset of val_dataloader, with its annotations) or a dataset config. Defaults to 'val'.
        solver: Config of a solver. Defaults to ``dict(type='mmal.LiSSA')``.
        batch_size: Images to a batch of the reference gradient. Defaults to None: that of val_dataloader.
    """

    priority = 'VERY_LOW'

    def __init__(self, params: list[str], reference='val', solver: dict | None = None,
                 batch_size: int | None = None) -> None:
        self.params = [params] if isinstance(params, str) else list(params)
        self.reference = reference
        try:
            self.solver = SOLVERS.build(solver or dict(type='mmal.LiSSA'))
        except (KeyError, TypeError, ValueError) as e:
            raise InputError(f'StestHook: solver: {e.args[0] if e.args else e}') from None
        self.batch_size = batch_size

    @classmethod
    def of(cls, runner) -> StestHook | None:
        """The StestHook of a Runner, or None."""
        return next((hook for hook in runner.hooks if isinstance(hook, cls)), None)

    def after_train(self, runner) -> None:
        """Outside of an active loop: compute s_test for the model just trained."""
        if runner.cfg.get('active_round') is None:
            data = build_data(runner.cfg)
            self.compute(runner, data, data.labeled_dataset(None), Path(runner.work_dir) / 's_test.pth')

    def select(self, model) -> dict:
        """The parameters that ``params`` names.

        Raises:
            InputError: If a pattern matches nothing.
        """
        try:
            return select_parameters(model, self.params)
        except ValueError as e:
            raise InputError(f'StestHook: {e}') from None

    def compute(self, runner, data, labeled, path: Path) -> None:
        """Compute s_test of ``runner.model`` and write it to ``path`` and its report beside it.

        Args:
            runner: Its model, config, seed and log are used.
            data: Data side of the task, for the reference set.
            labeled: Dataset of labeled images with annotations, for the Hessian.
            path: Where s_test goes; the report has the same name with ``.json``.

        Raises:
            FloatingPointError: If v or s_test is not finite; the message names the knobs.
        """
        start, task = time.perf_counter(), build_task(runner.model, runner.cfg)
        params, reference = self.select(task.model), data.reference_dataset(self.reference)
        workers = runner.cfg.val_dataloader.get('num_workers', 0) if runner.cfg.get('val_dataloader') else 0
        with task.loss_mode(), restrict_grad(task.model, params):
            v = self._reference_gradient(runner, task, params, reference, workers)
            solution = self.solver.solve(
                v, lambda batch, h: hvp(task.losses(batch).mean(), params, h),
                lambda repeat: self._labeled_batches(runner, labeled, repeat, workers), runner.logger.warning)
        s_test = solution.x
        if not bool(s_test.isfinite().all()):
            raise FloatingPointError('s_test is not finite. Raise solver.scale, solver.damping or solver.batch_size.')
        similarity = cosine(s_test, v)
        report = dict(solution.report, params={n: list(p.shape) for n, p in params.items()}, n_params=v.numel(),
                      n_reference=len(reference), n_labeled=len(labeled), v_norm=float(v.norm()),
                      s_test_norm=float(s_test.norm()), cos_s_test_v=similarity,
                      total_seconds=time.perf_counter() - start)
        if is_main_process():
            write_json(path.with_suffix('.json'), report)
            save_tensors(path, {n: t.cpu().clone() for n, t in unflatten(s_test, params).items()})
        self._say(runner.logger, report)

    def _say(self, logger, report: dict) -> None:
        logger.info(f's_test: {report["n_params"]} parameters, {report["n_reference"]} reference images, '
                    f'{report["steps"]} Hessian products, scale {report["scale"]:g} ({report["restarts"]} restarts), '
                    f'effective damping {report["effective_damping"]:g}, cos(s_test, v) = '
                    f'{report["cos_s_test_v"]:.4f}, {report["total_seconds"]:.0f} s')
        if report['cos_s_test_v'] > SIMILAR:
            logger.warning(f'cos(s_test, v) > {SIMILAR}: influence is little more than gradient similarity here. '
                           'A smaller solver.damping, or more depth, lets the Hessian have a say.')

    def _reference_gradient(self, runner, task, params, reference, workers: int) -> Tensor:
        """v: mean over R of the gradients of the per-image losses, shape (P,)."""
        if len(reference) == 0:
            raise InputError('The reference set is empty: val_dataloader.dataset has no image.')
        size = self.batch_size or (runner.cfg.get('val_dataloader') or {}).get('batch_size', 1)
        total = 0
        stream = batches(reference, range(len(reference)), size, workers)
        for batch in track(stream, -(-len(reference) // size), 'reference gradient', runner.logger):
            total = total + gradient(task.losses(items_or_raise(batch, 'reference set')).sum(), params).detach()
        return total / len(reference)

    def _labeled_batches(self, runner, labeled, repeat: int, workers: int) -> Iterator[list]:
        """``depth`` random mini-batches, without replacement as long as the labeled images last."""
        rng, order, size = Random(f'{runner.seed}/lissa/{repeat}'), [], self.solver.batch_size
        while len(order) < self.solver.depth * size:
            order += rng.sample(range(len(labeled)), len(labeled))
        order = order[:self.solver.depth * size]
        title = f'LiSSA run {repeat + 1}/{self.solver.repeats}'
        for batch in track(batches(labeled, order, size, workers), self.solver.depth, title, runner.logger):
            yield items_or_raise(batch, 'labeled set')
