from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from random import Random

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from torch import Tensor

from mmal.adapters import build_data_adapter, build_model_adapter
from mmal.adapters.loading import batches, first_item, items_or_raise
from mmal.distributed.group import Group
from mmal.engine.mean_gradient import MeanGradient
from mmal.errors import InputError
from mmal.fileio.tensors import save_tensors
from mmal.fileio.text import write_json
from mmal.influence.api import build_curvature
from mmal.influence.distributed_curvature import SharedCurvature
from mmal.influence.parameters import restrict_grad, select_parameters, unflatten
from mmal.influence.solvers.base import cosine
from mmal.influence.solvers.cg import CG
from mmal.influence.solvers.dense import Dense
from mmal.influence.solvers.identity import Identity
from mmal.influence.solvers.lissa import LiSSA
from mmal.registry import HOOKS, SOLVERS
from mmal.run.layout import OF_THE_RUN
from mmal.utils.progress import track

for solver in (CG, Dense, Identity, LiSSA):
    SOLVERS.register_module(module=solver)

SIMILAR = 0.99
"""Above this cosine between s_test and v, the Hessian has changed nothing that matters."""


@HOOKS.register_module()
class StestHook(Hook):
    """Computes s_test = (H + lambda I)^-1 v after training and writes it (paper, Algorithm 3).

    v is the *mean* over the reference set of the gradients of the per-sample losses; H is the mean curvature over
    labeled samples; both on ``params`` only, by running statistics, without augmentation, in float32. ``s_test.pth``
    holds a tensor a parameter; ``s_test.json`` beside it the settings, the convergence trace, and cos(s_test, v): near
    1, influence is mere gradient similarity.

    In an :class:`~mmal.engine.active_loop.ActiveLoop` the loop calls it in its own phase. In any other training it runs after the
    last iteration, on the whole training set, and writes to the work_dir.

    Reference sets: 'val' (the dataset of val_dataloader, with its annotations: the paper's ISAL); 'initial' (the first
    labeled set: ISAL_v2); 'labeled' (all that is labeled: ISAL_v3); 'holdout' (a part of the first labeled set that is
    never trained on, see ActiveLoop's ``holdout``: the honest choice where there is no set to spare).

    Args:
        params: Patterns of parameter names: a full name, a module's name, or a shell wildcard. Defaults to None: the
            last layers, found from the loss.
        reference: One of the names above, or a dataset config. Defaults to 'val'.
        solver: Config of a solver. Defaults to ``dict(type='mmal.CG')``.
        batch_size: Images to a batch of the reference gradient. Defaults to None: that of val_dataloader.
        biases: Whether biases and other one-dimensional parameters count. Defaults to True.
        hessian_images: Most labeled images H is taken from, drawn at random. Defaults to 1000.
        memory_gb: Most memory for their cached layer inputs, in GiB; fewer images are taken if it is full. Defaults
            to 4.
        max_nonfinite: Share of images whose loss or gradient may be not finite; they are named and left out. More stop
            the run. Defaults to 0.1.
    """

    priority = 'VERY_LOW'

    def __init__(
        self,
        params: list[str] | None = None,
        reference='val',
        solver: dict | None = None,
        batch_size: int | None = None,
        biases: bool = True,
        hessian_images: int = 1000,
        memory_gb: float = 4.0,
        max_nonfinite: float = 0.1,
    ) -> None:
        if params is not None and not len(params):
            raise InputError(
                'StestHook: params is empty: name layers, or leave it out for the last layers.'
            )
        if hessian_images < 1 or memory_gb <= 0 or not 0 <= max_nonfinite < 1:
            raise InputError(
                'StestHook: expected hessian_images >= 1, memory_gb > 0 and 0 <= max_nonfinite < 1, got '
                f'{hessian_images}, {memory_gb}, {max_nonfinite}.'
            )
        self.params = [params] if isinstance(params, str) else params and list(params)
        self.reference, self.biases = reference, biases
        self.hessian_images, self.memory_gb, self.max_nonfinite = (
            hessian_images,
            memory_gb,
            max_nonfinite,
        )
        try:
            self.solver = SOLVERS.build(solver or dict(type='mmal.CG'))
        except (KeyError, TypeError, ValueError) as e:
            raise InputError(f'StestHook: solver: {e.args[0] if e.args else e}') from None
        self.batch_size = batch_size

    @classmethod
    def from_runner(cls, runner) -> StestHook | None:
        """The StestHook of a Runner, or None."""
        return next((hook for hook in runner.hooks if isinstance(hook, cls)), None)

    def before_train(self, runner) -> None:
        """Outside of an active loop: refuse, before anything is trained, what could not be computed after it."""
        if runner.cfg.get('active_round') is None:
            data, task = (
                build_data_adapter(runner.cfg),
                build_model_adapter(runner.model, runner.cfg),
            )
            self.select(
                task, [first_item(self.reference_dataset(data, None, None), 'reference set')]
            )

    def after_train(self, runner) -> None:
        """Outside of an active loop: compute s_test for the model just trained."""
        if runner.cfg.get('active_round') is None:
            self.compute(
                runner, build_data_adapter(runner.cfg), None, Path(runner.work_dir) / 's_test.pth'
            )

    def select(self, task, items: list) -> dict:
        """The chosen parameters; ``items`` are a few annotated ones to run the loss on.

        Raises:
            InputError: If a pattern matches nothing, or only what is frozen or does not reach the loss.
        """
        try:
            params = select_parameters(task.model, self.params or task.last_layers(items))
            if self.params:
                self._require_used(task, items, params)
        except ValueError as e:
            raise InputError(f'StestHook: {e}') from None
        chosen = {name: p for name, p in params.items() if self.biases or p.dim() > 1}
        if not chosen:
            raise InputError('StestHook: biases=False leaves no parameter of `params`.')
        return chosen

    def _require_used(self, task, items: list, params: dict) -> None:
        with task.loss_mode(), restrict_grad(task.model, params):
            loss = task.losses(items).sum()
            slopes = [None] * len(params)
            if loss.requires_grad:
                slopes = torch.autograd.grad(loss, list(params.values()), allow_unused=True)
        used = {name for name, slope in zip(params, slopes, strict=True) if slope is not None}
        for pattern in self.params:
            if not used & set(select_parameters(task.model, [pattern])):
                raise ValueError(
                    f'`params` pattern {pattern!r} matches nothing that the loss depends on. Name layers '
                    'that are used in training, or leave params out: the last layers are found then.'
                )

    def reference_dataset(self, data, labeled_file: Path | None, run_dir: Path | None):
        """The reference set R with its annotations.

        Args:
            data: Data side of the task.
            labeled_file: What is labeled now; None for the whole training set.
            run_dir: Of the active run, if there is one.
        """
        if self.reference == 'labeled':
            return data.labeled_dataset(labeled_file and str(labeled_file))
        if isinstance(self.reference, str) and self.reference in OF_THE_RUN:
            if run_dir is None:
                raise InputError(
                    f'StestHook(reference={self.reference!r}) needs an mmal.ActiveLoop, which keeps that '
                    'set.'
                )
            return data.labeled_dataset(str(run_dir / OF_THE_RUN[self.reference]))
        return data.reference_dataset(self.reference)

    def compute(
        self,
        runner,
        data,
        labeled_file: Path | None,
        path: Path,
        run_dir: Path | None = None,
        solver: dict | None = None,
    ) -> None:
        """Compute s_test of ``runner.model`` and write it to ``path`` and its report beside it.

        Args:
            runner: Its model, config, seed and log are used.
            data: Data side of the task.
            labeled_file: What is labeled now, for the Hessian; None for the whole training set.
            path: Where s_test goes; the report has the same name with ``.json``.
            run_dir: Of the active run, if there is one.
            solver: Config of the solver a sampler insists on. Defaults to None: the hook's own.

        Raises:
            FloatingPointError: If v or s_test is not finite, or too many images are not; the message names the knobs.
        """
        start, task = time.perf_counter(), build_model_adapter(runner.model, runner.cfg)
        solver = SOLVERS.build(solver) if solver else self.solver
        reference, logger = self.reference_dataset(data, labeled_file, run_dir), runner.logger
        labeled = data.labeled_dataset(labeled_file and str(labeled_file))
        if len(reference) == 0:
            raise InputError('The reference set is empty: it has no image.')
        workers = (runner.cfg.get('val_dataloader') or {}).get('num_workers', 0)
        params, group = self.select(task, [first_item(reference, 'reference set')]), Group()
        with task.loss_mode(), restrict_grad(task.model, params):
            v = self._reference_gradient(
                runner,
                MeanGradient(task, params, 'reference set', self.max_nonfinite, logger, group),
                group,
                reference,
                workers,
            )
            finite = MeanGradient(task, params, 'labeled set', self.max_nonfinite, logger, group)
            curvature = (
                None
                if solver.samples_needed == 0
                else self._curvature(
                    task,
                    self._labeled_batches(runner, finite, group, labeled, workers, solver),
                    params,
                    solver.curvature,
                    group,
                    logger,
                )
            )
            finite.check_nonfinite_share()
            solution = solver.solve(
                v,
                curvature,
                group.broadcast(runner.seed) or 0,
                logger.warning,
                partial(track, logger=logger),
            )
        s_test = solution.x
        if not bool(s_test.isfinite().all()):
            raise FloatingPointError(
                's_test is not finite. Raise solver.scale, solver.damping or solver.batch_size.'
            )
        report = dict(
            solution.report,
            params={n: list(p.shape) for n, p in params.items()},
            n_params=v.numel(),
            n_reference=len(reference),
            n_labeled=len(labeled),
            n_hessian=finite.n_finite,
            v_norm=float(v.norm()),
            s_test_norm=float(s_test.norm()),
            cos_s_test_v=cosine(s_test, v),
            total_seconds=time.perf_counter() - start,
        )
        if is_main_process():
            write_json(path.with_suffix('.json'), report)
            save_tensors(path, {n: t.cpu().clone() for n, t in unflatten(s_test, params).items()})
        self._say(logger, report)

    def _say(self, logger, report: dict) -> None:
        damping = report['effective_damping']
        shown = ', '.join(
            f'{d:.3g}'
            for d in (damping if isinstance(damping, list) else [damping])
            if d is not None
        )
        residual = f', relative residual {report["residual"]:.2g}' if 'residual' in report else ''
        layers = list(dict.fromkeys(name.rpartition('.')[0] for name in report['params']))
        of = ', '.join(layers) if len(layers) <= 12 else f'{len(layers)} layers'
        logger.info(
            f's_test by {report["solver"]}: {report["n_params"]} parameters of {of}; '
            f'{report["n_reference"]} reference images; {report["iterations"]} iterations, '
            f'{report["evaluations"]} sample-Hessian products, {report["restarts"]} restarts{residual}, '
            f'damping {shown or "none"}, cos(s_test, v) = {report["cos_s_test_v"]:.4f}, '
            f'{report["total_seconds"]:.0f} s'
        )
        if report['cos_s_test_v'] > SIMILAR and report['solver'] != 'Identity':
            logger.warning(
                f'cos(s_test, v) > {SIMILAR}: influence is little more than gradient similarity here. '
                'A smaller damping of the solver, or more steps, lets the Hessian have a say.'
            )

    def _reference_gradient(
        self, runner, finite: MeanGradient, group: Group, reference, workers: int
    ) -> Tensor:
        """v: mean over R of the gradients of the per-image losses, shape (P,)."""
        size = self.batch_size or (runner.cfg.get('val_dataloader') or {}).get('batch_size', 1)
        mine = group.shard(range(len(reference)), size)
        stream = batches(reference, mine, size, workers)
        for batch in track(stream, -(-len(mine) // size), 'reference gradient', runner.logger):
            finite.update(items_or_raise(batch, 'reference set'))
        v = finite.mean()
        if not bool(v.any()):
            raise InputError(
                'The reference gradient is zero: no chosen parameter changes the loss of the reference '
                'set. Check StestHook.params and the annotations of the reference set.'
            )
        return v

    def _curvature(
        self, task, labeled: Iterator[list], params: dict, kind: str, group: Group, logger
    ):
        """Of the mini-batches of all processes; each keeps its own."""
        first = next(labeled, None)
        own = (
            None
            if first is None and group.world > 1
            else build_curvature(
                task.model,
                task.losses,
                labeled if first is None else chain([first], labeled),
                params,
                kind,
                self.memory_gb * 2**30,
                logger.info,
            )
        )
        if group.world == 1:
            return own
        parts = group.all_gather((len(own), own.kind) if own else (0, None))
        kinds = {k for n, k in parts if n}
        if len(kinds) != 1:
            raise RuntimeError(
                f'The processes found different curvatures of the labeled set: {parts}. Give '
                'StestHook.params, or run in one process.'
            )
        return SharedCurvature(
            own, params, group.rank, [n for n, _ in parts], kinds.pop(), group.all_reduce
        )

    def _labeled_batches(
        self, runner, finite: MeanGradient, group: Group, labeled, workers: int, solver
    ) -> Iterator[list]:
        """This process's mini-batches of labeled images in random order, each once, as many as the solver can use."""
        size = solver.batch_size or (runner.cfg.get('val_dataloader') or {}).get('batch_size', 1)
        n = min(len(labeled), self.hessian_images, solver.samples_needed or len(labeled))
        order = Random(f'{group.broadcast(runner.seed)}/hessian').sample(range(len(labeled)), n)
        mine = group.shard(order, size)
        for batch in track(
            batches(labeled, mine, size, workers), -(-len(mine) // size), 'curvature', runner.logger
        ):
            items = finite.filter_finite(items_or_raise(batch, 'labeled set'))
            if items:
                yield items
