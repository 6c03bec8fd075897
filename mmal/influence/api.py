"""Influence in three calls, for any torch model and per-sample loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from mmal.influence.solvers.base import Progress, Solution, Solver
from mmal.influence.solvers.cg import CG

from .affine import AffineTape, NotAffine
from .checks import check_model
from .curvature import Curvature, DoubleBackward
from .directional_derivative import agree, outputs_and_tangents
from .last_layer_curvature import AffineCurvature, NotLast
from .last_layers import find_last_layers
from .parameters import gradient, restrict_grad, select_parameters, unflatten


def mean_gradient(
    losses: Callable[[Any], Tensor], batches: Iterable[Any], params: dict[str, nn.Parameter]
) -> Tensor:
    """v: mean over all samples of the gradients of their losses, shape (P,).

    Args:
        losses: Per-sample losses of a batch, of shape (N,), with a graph.
        batches: Their arguments.
        params: Chosen parameters; they must require gradients.
    """
    total, n = 0, 0
    for batch in batches:
        per_sample = losses(batch)
        total = total + gradient(per_sample.sum(), params).detach()
        n += len(per_sample)
    if not n:
        raise ValueError('The set is empty: there is no gradient of nothing.')
    return total / n


def build_curvature(
    model: nn.Module,
    losses: Callable[[Any], Tensor],
    batches: Iterable[Any],
    params: dict[str, nn.Parameter],
    kind: str = 'hessian',
    max_bytes: float = float('inf'),
    log: Callable[[str], None] = print,
) -> Curvature:
    """The cheapest curvature that is right: closed form for affine last layers, else double backward.

    Args:
        model: The model.
        losses: Per-sample losses of a batch, of shape (N,), with a graph.
        batches: Mini-batches; taken until they end or ``max_bytes`` are kept.
        params: Chosen parameters; they must require gradients.
        kind: 'hessian' or 'ggn' (closed form only; double backward gives the Hessian and says so).
        max_bytes: Of cached layer inputs and blocks, or of the batches themselves.
        log: Told which one was chosen and why.
    """
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        raise ValueError('The labeled set is empty: there is no curvature of nothing.')
    try:
        curvature = AffineCurvature(model, params, kind)
        curvature.add(losses, first)
    except (NotAffine, NotLast, NotImplementedError) as reason:
        log(
            f'Curvature by double backward: {reason}'
            + (" 'ggn' is not available, the Hessian is used." if kind == 'ggn' else '')
        )
        return DoubleBackward(losses, batches_within_memory([first], batches, max_bytes), params)
    for batch in batches:
        if curvature.nbytes >= max_bytes:
            log(
                f'Curvature from the first {len(curvature)} mini-batches: {max_bytes / 2**30:.1f} GiB are full.'
            )
            break
        curvature.add(losses, batch)
    log(
        f'Curvature ({kind}) in closed form on cached inputs of the last layers, '
        f'{curvature.nbytes / 2**20:.0f} MiB.'
        + (
            ''
            if curvature.clamped
            else ' Some outputs have no blocks to clamp; their Hessian is used as it is.'
        )
    )
    return curvature


FORWARD_MATH_ATTENTION = 'forward, attention not fused'


def batches_within_memory(kept: list, batches: Iterable[Any], max_bytes: float) -> list:
    """The batches that fit into memory, beside those kept already."""

    def size(batch) -> int:
        return sum(leaf.nbytes for leaf in tree_leaves(batch) if isinstance(leaf, Tensor))

    used = sum(map(size, kept))
    for batch in batches:
        used += size(batch)
        if used > max_bytes:
            break
        kept.append(batch)
    return kept


class _Losses(nn.Module):
    """The losses as a module, so that its parameters can be exchanged."""

    def __init__(self, model: nn.Module, losses: Callable[[nn.Module, Any], Tensor]) -> None:
        super().__init__()
        self.model, self._losses = model, losses

    def forward(self, batch: Any) -> Tensor:
        return self._losses(self.model, batch)


class Influence:
    """Which samples would lower the loss of a reference set if they were trained on?

    >>> x, y, model = torch.randn(30, 4), torch.arange(30) % 3, nn.Linear(4, 3)
    >>> def losses(model, batch):
    ...     return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction='none')
    >>> influence = Influence(model.eval(), losses, log=lambda text: None)
    >>> s_test = influence.fit(train=[(x[:10], y[:10])], reference=[(x[10:20], y[10:20])]).x
    >>> influence.scores((x[20:], y[20:])).shape  # I(z) = -s_test . grad l(z)
    torch.Size([10])

    *More negative is more helpful.* In units of the loss: adding z with weight eps to the *mean* training loss changes
    the mean reference loss by eps I(z), to first order and for a trained model (paper, section 3.2).

    Args:
        model: Any module, in eval mode.
        losses: ``losses(model, batch)`` gives the loss of each sample, shape (N,), sample i depending on itself alone.
        params: Patterns of parameter names. Defaults to None: the last layers, found from the loss.
        solver: Of s_test. Defaults to None: ``CG()``.
        log: Told what was chosen. Defaults to print.

    Raises:
        ValueError: If a pattern fits nothing, or the model is not ready (batch normalisation in train mode, half
            precision).
    """

    def __init__(
        self,
        model: nn.Module,
        losses: Callable[[nn.Module, Any], Tensor],
        params: list[str] | None = None,
        solver: Solver | None = None,
        log: Callable[[str], None] = print,
    ) -> None:
        self.model, self._losses, self._patterns = model, losses, params
        self.solver, self._log = solver or CG(), log
        self.params: dict[str, nn.Parameter] = {}
        self.solution: Solution | None = None
        self.method: str | None = None
        self._method_verified = False

    @torch.enable_grad()
    def fit(
        self,
        train: Iterable[Any],
        reference: Iterable[Any],
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Solution:
        """Compute s_test = (H + lambda I)^-1 v.

        Args:
            train: Batches of labeled samples, for the mean Hessian H.
            reference: Batches of the reference set, for the mean gradient v.
            seed: Of the solver's random choices.
            progress: See :data:`~mmal.influence.solvers.base.Progress`.

        Returns:
            s_test and the solver's report; also kept as :attr:`solution`.
        """
        train = iter(train)
        first = next(train, None)
        if first is None:
            raise ValueError('The labeled set is empty: there is no curvature of nothing.')
        check_model(self.model, {})
        patterns = self._patterns or find_last_layers(
            self.model, lambda: self._losses(self.model, first).sum()
        )
        self.params, self.method, self._method_verified = (
            select_parameters(self.model, patterns),
            None,
            False,
        )
        check_model(self.model, self.params)

        def losses(batch):
            return self._losses(self.model, batch)

        def all_of_it():
            yield first
            yield from train

        with restrict_grad(self.model, self.params):
            v = mean_gradient(losses, reference, self.params)
            curvature = (
                None
                if self.solver.samples_needed == 0
                else build_curvature(
                    self.model,
                    losses,
                    all_of_it(),
                    self.params,
                    self.solver.curvature,
                    log=self._log,
                )
            )
            self.solution = self.solver.solve(v, curvature, seed, self._log, progress)
        return self.solution

    @torch.enable_grad()
    def scores(self, batch: Any) -> Tensor:
        """I(z) of each sample of a batch, shape (N,); the labels in it may be the model's own.

        Raises:
            RuntimeError: If :meth:`fit` was not called.
        """
        if self.solution is None:
            raise RuntimeError('Influence.scores needs s_test: call fit() first.')
        check_model(self.model, self.params)
        with restrict_grad(self.model, self.params):
            return -self._derivative(batch, self.solution.x)

    def _derivative(self, batch: Any, s: Tensor) -> Tensor:
        methods = {
            'output': self._by_output,
            'forward': self._by_forward,
            FORWARD_MATH_ATTENTION: partial(self._by_forward, plain_attention=True),
            'backward': self._by_backward,
        }
        if self._method_verified:
            return methods[self.method](batch, s)
        slopes = self._sample_gradients(batch)
        for name, method in methods.items():
            try:
                values = method(batch, s)
            except (NotAffine, NotImplementedError, RuntimeError) as reason:
                self._log(f'Directional derivative: not by {name} ({str(reason).splitlines()[0]})')
                continue
            if all(
                agree(values[i], slope @ s, s, float(slope.norm())) for i, slope in slopes.items()
            ):
                # one sample, or nothing but zeros, shows nothing about the order of samples in the outputs
                self._method_verified = (
                    sum(bool(g.isfinite().all() and g.any()) for g in slopes.values()) > 1
                )
                if name != self.method:
                    self._log(f'Directional derivative: by {name}')
                self.method = name
                return values
            self._log(f'Directional derivative: not by {name} (differs from plain autograd)')
        raise RuntimeError(
            'No method gives the derivative of plain autograd: is the loss deterministic?'
        )

    def _sample_gradients(self, batch: Any) -> dict[int, Tensor]:
        """Plain gradients of up to eight samples of a batch, by their row."""
        losses = self._losses(self.model, batch)
        chosen = range(0, len(losses), -(-len(losses) // 8))
        return {i: gradient(losses[i], self.params, retain_graph=True) for i in chosen}

    def _by_output(self, batch: Any, s: Tensor) -> Tensor:
        with AffineTape(self.model, self.params) as tape:
            losses = self._losses(self.model, batch)
        return tape.derivative(losses.sum(), unflatten(s, self.params), len(losses))

    def _by_forward(self, batch: Any, s: Tensor, plain_attention: bool = False) -> Tensor:
        direction = {f'model.{name}': t for name, t in unflatten(s, self.params).items()}
        return outputs_and_tangents(
            _Losses(self.model, self._losses), (batch,), direction, plain_attention
        )[1]

    def _by_backward(self, batch: Any, s: Tensor) -> Tensor:
        losses = self._losses(self.model, batch)
        return torch.stack([gradient(loss, self.params, retain_graph=True) @ s for loss in losses])
