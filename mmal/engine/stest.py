"""s_test = (H + lambda I)^-1 v of a trained model (paper, Algorithm 3)."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from logging import Logger
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from mmengine.dist import is_main_process
from torch import Tensor, nn

from mmal.adapters.base import FittedHead
from mmal.adapters.loading import batches, first_item, items_or_raise
from mmal.distributed.group import Group
from mmal.errors import InputError
from mmal.fileio.tensors import save_tensors
from mmal.fileio.text import write_json
from mmal.influence.api import build_curvature
from mmal.influence.curvature import Curvature, DoubleBackward
from mmal.influence.distributed_curvature import SharedCurvature
from mmal.influence.parameters import restrict_grad, select_parameters, unflatten
from mmal.influence.second_derivative import NotTwiceDifferentiable
from mmal.influence.solvers.base import Solver, cosine
from mmal.registry import SOLVERS
from mmal.run.layout import RunPaths
from mmal.utils.gpu_memory import GIB, explain_full_gpu, peak_bytes, reset_peak
from mmal.utils.progress import track

from .mean_gradient import MeanGradient
from .memory_limit import cache_limit

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter, ModelAdapter

SIMILAR = 0.99
"""Above this cosine between s_test and v, the Hessian has changed nothing that matters."""

MAX_NAMED_LAYERS = 12


@dataclass
class StestSettings:
    """How s_test is computed; the arguments of :class:`~mmal.engine.hooks.stest_hook.StestHook`.

    Attributes:
        solver: Solves the linear system.
        params: Patterns of parameter names; None for the last layers, found from the loss.
        reference: Name of the reference set, or a dataset config.
        batch_size: Batch size of the reference gradient; None for that of val_dataloader.
        biases: Whether biases and other one-dimensional parameters count.
        hessian_images: Largest number of labeled images that H is taken from.
        memory_gb: Largest memory for their cached layer inputs, in GiB; on a GPU, at most what it
            has left.
        max_nonfinite: Share of images whose loss or gradient may be not finite.
    """

    solver: Solver
    params: list[str] | None = None
    reference: str | dict[str, Any] = 'val'
    batch_size: int | None = None
    biases: bool = True
    hessian_images: int = 1000
    memory_gb: float = 4.0
    max_nonfinite: float = 0.1

    def with_solver(self, solver: dict[str, Any] | None) -> StestSettings:
        """The settings with the solver that a sampler insists on.

        Args:
            solver: Config of the solver; None for the one that the settings have.
        """
        if solver is None:
            return self
        return replace(self, solver=SOLVERS.build(solver))


class StestSolution(NamedTuple):
    """s_test and how it was solved.

    Attributes:
        s_test: One tensor per parameter, by name.
        report: What ``s_test.json`` holds: settings, numbers of images, the convergence trace, and
            the cosine between s_test and v.
    """

    s_test: dict[str, Tensor]
    report: dict[str, Any]


def choose_parameters(
    settings: StestSettings, adapter: ModelAdapter, items: Sequence[Any]
) -> dict[str, nn.Parameter]:
    """The parameters that influence is restricted to.

    Args:
        settings: How s_test is computed.
        adapter: Model side of the task.
        items: A few annotated dataset items to run the loss on.

    Returns:
        The parameters by name.

    Raises:
        InputError: If a pattern matches nothing, or only what is frozen or does not reach the loss,
            or an operator between the loss and the parameters has no second derivative.
    """
    try:
        patterns = settings.params or adapter.last_layers(items)
        params = select_parameters(adapter.model, patterns)
        if settings.params:
            _require_used(settings.params, adapter, items, params)
    except ValueError as e:
        raise InputError(f'StestHook: {e}') from None
    chosen = {}
    for name, parameter in params.items():
        if settings.biases or parameter.dim() > 1:
            chosen[name] = parameter
    if not chosen:
        raise InputError('StestHook: biases=False leaves no parameter of `params`.')
    if settings.solver.samples_needed != 0:
        _require_second_derivative(adapter, items, chosen)
    return chosen


def _require_second_derivative(
    adapter: ModelAdapter, items: Sequence[Any], params: dict[str, nn.Parameter]
) -> None:
    """Try one product of the curvature: an operator without a second derivative is refused."""
    n_params = sum(parameter.numel() for parameter in params.values())
    vector = next(iter(params.values())).new_zeros(n_params)
    with adapter.loss_mode(), restrict_grad(adapter.model, params):
        curvature = DoubleBackward(adapter.losses, [items], params)
        try:
            curvature.product(vector)
        except NotTwiceDifferentiable as e:
            raise InputError(f'StestHook: {e}') from None


def _require_used(
    patterns: Sequence[str],
    adapter: ModelAdapter,
    items: Sequence[Any],
    params: Mapping[str, nn.Parameter],
) -> None:
    used = set()
    with adapter.loss_mode(), restrict_grad(adapter.model, params):
        loss = adapter.losses(items).sum()
        if loss.requires_grad:
            gradients = torch.autograd.grad(loss, list(params.values()), allow_unused=True)
            for name, grad in zip(params, gradients, strict=True):
                if grad is not None:
                    used.add(name)
    for pattern in patterns:
        if used.isdisjoint(select_parameters(adapter.model, [pattern])):
            raise ValueError(
                f'`params` pattern {pattern!r} matches nothing that the loss depends on. Name '
                'layers that are used in training, or leave params out: the last layers are found '
                'then.'
            )


def open_reference_set(
    reference: str | dict[str, Any],
    data: DataAdapter,
    labeled_file: Path | None,
    paths: RunPaths | None,
) -> Any:
    """The dataset of the reference set R, with its annotations.

    Args:
        reference: Name of the reference set, or a dataset config.
        data: Data side of the task.
        labeled_file: What is labeled now; None for the whole training set.
        paths: Files of the active run; None outside of one.

    Raises:
        InputError: If the set is one that only an active run keeps, and there is none.
    """
    if reference == 'labeled':
        return data.labeled_dataset(None if labeled_file is None else str(labeled_file))
    if isinstance(reference, str) and reference in ('initial', 'holdout'):
        if paths is None:
            raise InputError(
                f'StestHook(reference={reference!r}) needs an mmal.ActiveLoop, which keeps that '
                'set.'
            )
        return data.labeled_dataset(str(paths.reference_sets[reference]))
    return data.reference_dataset(reference)


def solve_s_test(
    settings: StestSettings,
    adapter: ModelAdapter,
    reference: Any,
    labeled: Any,
    seed: int | None,
    loader: Mapping[str, Any],
    log: Logger,
) -> StestSolution:
    """Compute s_test of a trained model. Every process calls it.

    v is the mean over the reference set of the gradients of the per-image losses, and H the mean
    curvature over labeled images, both on the chosen parameters only.

    Args:
        settings: How s_test is computed.
        adapter: Model side of the task.
        reference: Dataset of the reference set.
        labeled: Dataset of the labeled images, for H.
        seed: Seed of the order of the labeled images, and of the solver's random choices; that of
            rank 0 counts.
        loader: ``batch_size`` and ``num_workers`` of val_dataloader, where they are not set
            otherwise.
        log: Receives progress and a summary.

    Raises:
        InputError: If the reference set is empty, no chosen parameter changes its loss, or the
            GPU's memory does not suffice.
        FloatingPointError: If v or s_test is not finite, or too many images are not; the message
            names the knobs.
    """
    start = time.perf_counter()
    reset_peak()
    if len(reference) == 0:
        raise InputError('The reference set is empty: it has no image.')
    with explain_full_gpu('s_test', _full_gpu_cure(settings, loader)):
        params = choose_parameters(settings, adapter, [first_item(reference, 'reference set')])
        group = Group()
        seed = group.broadcast(seed)
        with adapter.loss_mode(), restrict_grad(adapter.model, params):
            v = reference_gradient(settings, adapter, params, reference, loader, log, group)
            gradient = MeanGradient(
                adapter, params, 'labeled set', settings.max_nonfinite, log, group
            )
            # A solver that needs no samples is given None.
            curvature: Any = None
            if settings.solver.samples_needed != 0:
                stream = labeled_batches(settings, gradient, labeled, seed, loader, log, group)
                curvature = _shared_curvature(settings, adapter, stream, params, log, group)
            gradient.check_nonfinite_share()
            solution = _solver_for(settings.solver, adapter, len(labeled)).solve(
                v, curvature, seed or 0, log.warning, partial(track, logger=log)
            )
    if not bool(solution.x.isfinite().all()):
        raise FloatingPointError(
            's_test is not finite. Raise solver.scale, solver.damping or solver.batch_size.'
        )
    report = dict(
        solution.report,
        params={name: list(parameter.shape) for name, parameter in params.items()},
        n_params=v.numel(),
        n_reference=len(reference),
        n_labeled=len(labeled),
        n_hessian=gradient.n_finite,
        v_norm=float(v.norm()),
        s_test_norm=float(solution.x.norm()),
        cos_s_test_v=cosine(solution.x, v),
        total_seconds=time.perf_counter() - start,
    )
    peak = max(group.all_gather(peak_bytes()))
    if peak:
        report['gpu_bytes'] = peak
    _log_report(log, report)
    s_test = {}
    for name, tensor in unflatten(solution.x, params).items():
        s_test[name] = tensor.cpu().clone()
    return StestSolution(s_test, report)


def _solver_for(solver: Solver, adapter: ModelAdapter, n_labeled: int) -> Solver:
    """The solver with the damping that a refitted head was fitted with, unless a damping is given.

    The head minimises the *sum* of the labeled losses with l2 / 2 times the squared parameters, so
    the Hessian of its mean loss has l2 / n on the diagonal beside the curvature of the losses.
    """
    if not isinstance(adapter, FittedHead) or not n_labeled:
        return solver
    if getattr(solver, 'damping', 0.0) is not None:
        return solver
    damped: Any = copy.copy(solver)
    damped.damping = adapter.l2 / n_labeled
    return damped  # type: ignore[no-any-return]


def save_s_test(solution: StestSolution, file: Path) -> None:
    """Write s_test, and its report beside it with the ending ``.json``. Only rank 0 writes.

    Args:
        solution: s_test and its report.
        file: Path of ``s_test.pth``.
    """
    if is_main_process():
        write_json(file.with_suffix('.json'), solution.report)
        save_tensors(file, solution.s_test)


def reference_gradient(
    settings: StestSettings,
    adapter: ModelAdapter,
    params: Mapping[str, nn.Parameter],
    reference: Any,
    loader: Mapping[str, Any],
    log: Logger,
    group: Group,
) -> Tensor:
    """v, the mean over R of the gradients of the per-image losses, shape (P,).

    Every process calls it.

    It must be called inside the adapter's loss mode.

    Args:
        settings: How s_test is computed.
        adapter: Model side of the task.
        params: Chosen parameters by name.
        reference: Dataset of the reference set.
        loader: ``batch_size`` and ``num_workers`` of val_dataloader.
        log: Receives progress.
        group: The processes that share the images.

    Raises:
        InputError: If v is zero.
        FloatingPointError: If too many gradients are not finite.
    """
    size = settings.batch_size or loader.get('batch_size', 1)
    own_rows = group.shard(range(len(reference)), size)
    n_batches = -(-len(own_rows) // size)
    gradient = MeanGradient(adapter, params, 'reference set', settings.max_nonfinite, log, group)
    stream = batches(reference, own_rows, size, loader.get('num_workers', 0))
    for batch in track(stream, n_batches, 'reference gradient', log):
        gradient.update(items_or_raise(batch, 'reference set'))
    v = gradient.mean()
    if not bool(v.any()):
        raise InputError(
            'The reference gradient is zero: no chosen parameter changes the loss of the reference '
            'set. Check StestHook.params and the annotations of the reference set.'
        )
    return v


def labeled_batches(
    settings: StestSettings,
    gradient: MeanGradient,
    labeled: Any,
    seed: int | None,
    loader: Mapping[str, Any],
    log: Logger,
    group: Group,
) -> Iterator[list[Any]]:
    """This process's mini-batches of labeled images for H, in random order, each once.

    There are as many as the solver can use. Images whose loss is not finite are left out.

    Args:
        settings: How s_test is computed.
        gradient: Counts the images, and names those that are left out.
        labeled: Dataset of the labeled images.
        seed: Seed of the order.
        loader: ``batch_size`` and ``num_workers`` of val_dataloader.
        log: Receives progress.
        group: The processes that share the images.

    Yields:
        The items of a mini-batch.
    """
    solver = settings.solver
    size = solver.batch_size or loader.get('batch_size', 1)
    n_images = min(len(labeled), settings.hessian_images, solver.samples_needed or len(labeled))
    order = Random(f'{seed}/hessian').sample(range(len(labeled)), n_images)
    own_rows = group.shard(order, size)
    n_batches = -(-len(own_rows) // size)
    stream = batches(labeled, own_rows, size, loader.get('num_workers', 0))
    for batch in track(stream, n_batches, 'curvature', log):
        items = gradient.filter_finite(items_or_raise(batch, 'labeled set'))
        if items:
            yield items


def _full_gpu_cure(settings: StestSettings, loader: Mapping[str, Any]) -> str:
    size = loader.get('batch_size', 1)
    return (
        f'Lower StestHook.batch_size (now {settings.batch_size or size}), solver.batch_size (now '
        f'{settings.solver.batch_size or size}) or StestHook.memory_gb (now '
        f'{settings.memory_gb:g}), then go on by --resume.'
    )


def _shared_curvature(
    settings: StestSettings,
    adapter: ModelAdapter,
    stream: Iterator[list[Any]],
    params: dict[str, nn.Parameter],
    log: Logger,
    group: Group,
) -> Curvature:
    """The curvature of the mini-batches of all processes.

    Each process keeps its own mini-batches.
    """
    first = next(stream, None)
    if first is not None:
        stream = chain([first], stream)
    own: Curvature | None = None
    if first is not None or group.world == 1:
        own = build_curvature(
            adapter.model,
            adapter.losses,
            stream,
            params,
            settings.solver.curvature,
            settings.memory_gb * GIB,
            log.info,
            cache_limit(settings.memory_gb, next(iter(params.values())).device, log),
        )
    if own is not None and group.world == 1:
        return own
    parts = group.all_gather((0, None) if own is None else (len(own), own.kind))
    kinds = {str(kind) for n_batches, kind in parts if n_batches}
    if len(kinds) != 1:
        raise RuntimeError(
            f'The processes found different curvatures of the labeled set: {parts}. Give '
            'StestHook.params, or run in one process.'
        )
    n_batches_by_rank = [n_batches for n_batches, _ in parts]
    return SharedCurvature(
        own, params, group.rank, n_batches_by_rank, kinds.pop(), group.all_reduce
    )


def _log_report(log: Logger, report: Mapping[str, Any]) -> None:
    damping = report['effective_damping']
    values = damping if isinstance(damping, list) else [damping]
    shown_damping = ', '.join(f'{value:.3g}' for value in values if value is not None)
    residual = ''
    if 'residual' in report:
        residual = f', relative residual {report["residual"]:.2g}'
    layers = list(dict.fromkeys(name.rpartition('.')[0] for name in report['params']))
    shown_layers = ', '.join(layers)
    if len(layers) > MAX_NAMED_LAYERS:
        shown_layers = f'{len(layers)} layers'
    log.info(
        f's_test by {report["solver"]}: {report["n_params"]} parameters of {shown_layers}; '
        f'{report["n_reference"]} reference images; {report["iterations"]} iterations, '
        f'{report["evaluations"]} sample-Hessian products, {report["restarts"]} '
        f'restarts{residual}, damping {shown_damping or "none"}, cos(s_test, v) = '
        f'{report["cos_s_test_v"]:.4f}, {report["total_seconds"]:.0f} s'
    )
    if report['cos_s_test_v'] > SIMILAR and report['solver'] != 'Identity':
        log.warning(
            f'cos(s_test, v) > {SIMILAR}: influence is little more than gradient similarity here. '
            'A smaller damping of the solver, or more steps, lets the Hessian have a say.'
        )
