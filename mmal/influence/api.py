"""Influence in three calls, for any torch model and per-sample loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

from .affine import AffineTape, NotAffine
from .checks import check_model
from .curvature import Curvature, DoubleBackward
from .directional_derivative import outputs_and_tangents
from .last_layer_curvature import AffineCurvature, NotLast
from .last_layers import find_last_layers
from .method_selection import MethodSelector, Reference, Selection, is_informative
from .parameters import flatten, gradient, restrict_grad, select_parameters, unflatten
from .solvers.base import Progress, Solution, Solver
from .solvers.cg import CG

FORWARD_MATH_ATTENTION = 'forward, attention not fused'
"""Name of the forward method that runs attention as matrix products."""

MAX_COMPARED_SAMPLES = 8
"""Samples of a batch, at most, whose derivatives are compared with plain autograd."""


def mean_gradient(
    losses: Callable[[Any], Tensor], batches: Iterable[Any], params: dict[str, nn.Parameter]
) -> Tensor:
    r"""Compute v, the mean over all samples of the gradients of their losses.

    It is :math:`v = \frac{1}{N} \sum_i \nabla l(z_i)`, whatever the sizes of the batches.

    >>> model, x = nn.Linear(1, 1, bias=False), torch.tensor([[1.0], [2.0], [6.0]])
    >>> params = dict(model.named_parameters())
    >>> mean_gradient(lambda batch: model(batch)[:, 0], [x[:2], x[2:]], params)
    tensor([3.])

    Args:
        losses: A function from a batch to its per-sample losses, shape (N,), with a graph.
        batches: The batches of the set.
        params: The chosen parameters, P values in all. They must require gradients.

    Returns:
        v, shape (P,), without a graph.

    Raises:
        ValueError: If the set has no sample.
    """
    total = torch.zeros_like(flatten(params))
    n_samples = 0
    for batch in batches:
        per_sample = losses(batch)
        total = total + gradient(per_sample.sum(), params).detach()
        n_samples += len(per_sample)
    if n_samples == 0:
        raise ValueError('The set is empty: there is no gradient of nothing.')
    return total / n_samples


def build_curvature(
    model: nn.Module,
    losses: Callable[[Any], Tensor],
    batches: Iterable[Any],
    params: dict[str, nn.Parameter],
    kind: str = 'hessian',
    max_bytes: float = math.inf,
    log: Callable[[str], None] = print,
    max_device_bytes: float = math.inf,
) -> Curvature:
    """Build the cheapest curvature that is right.

    It is the closed form for affine last layers, and double backward for everything else.

    >>> model, x = nn.Linear(2, 1, bias=False), torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    >>> losses = lambda batch: model(batch)[:, 0].square() / 2  # their Hessians are x_i x_i^T
    >>> curvature = build_curvature(model, losses, [x], dict(model.named_parameters()))
    Curvature (hessian) in closed form on cached inputs of the last layers, 0 MiB.
    >>> curvature.product(torch.tensor([1.0, 0.0]))
    tensor([5., 1.])

    Args:
        model: The model.
        losses: A function from a batch to its per-sample losses, shape (N,), with a graph.
        batches: The mini-batches. They are taken until they end or ``max_bytes`` are kept.
        params: The chosen parameters, P values in all. They must require gradients.
        kind: 'hessian', or 'ggn' for its positive semi-definite part. The latter exists in closed
            form only; double backward gives the Hessian and logs that. Defaults to 'hessian'.
        max_bytes: Most memory for cached layer inputs and blocks, or for the batches themselves, in
            bytes. Defaults to no limit.
        log: Receives which curvature was chosen and why, one line per event. Defaults to print.
        max_device_bytes: Most memory for what is cached on the model's device, in bytes. Batches
            are not, they lie where they lay. Defaults to no limit.

    Returns:
        The mean curvature of the losses.

    Raises:
        ValueError: If there is no mini-batch.
    """
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        raise ValueError('The labeled set is empty: there is no curvature of nothing.')
    try:
        curvature = AffineCurvature(model, params, kind)
        curvature.add(losses, first)
    except (NotAffine, NotLast, NotImplementedError) as reason:
        text = f'Curvature by double backward: {reason}'
        if kind == 'ggn':
            text += " 'ggn' is not available, the Hessian is used."
        log(text)
        return DoubleBackward(losses, batches_within_memory([first], batches, max_bytes), params)

    max_cached_bytes = min(max_bytes, max_device_bytes)
    for batch in batches:
        if curvature.nbytes >= max_cached_bytes:
            log(
                f'Curvature from the first {len(curvature)} mini-batches: '
                f'{max_cached_bytes / 2**30:.1f} GiB are full.'
            )
            break
        curvature.add(losses, batch)
    text = (
        f'Curvature ({kind}) in closed form on cached inputs of the last layers, '
        f'{curvature.nbytes / 2**20:.0f} MiB.'
    )
    if not curvature.clamped:
        text += ' Some outputs have no blocks to clamp; their Hessian is used as it is.'
    log(text)
    return curvature


def batches_within_memory(kept: list[Any], batches: Iterable[Any], max_bytes: float) -> list[Any]:
    """Take batches as long as they fit into memory, beside those kept already.

    Args:
        kept: Batches that are kept in any case. The list is extended.
        batches: Batches that follow them.
        max_bytes: Most memory for the tensors of all batches together, in bytes.

    Returns:
        ``kept``.
    """
    used_bytes = sum(_tensor_bytes(batch) for batch in kept)
    for batch in batches:
        used_bytes += _tensor_bytes(batch)
        if used_bytes > max_bytes:
            break
        kept.append(batch)
    return kept


def _tensor_bytes(batch: Any) -> int:
    """Memory of the tensors of a batch, whatever containers they are in."""
    total = 0
    for leaf in tree_flatten(batch)[0]:
        if isinstance(leaf, Tensor):
            total += leaf.nbytes
    return total


class _LossModule(nn.Module):
    """The losses as a module, so that its parameters can be exchanged."""

    def __init__(self, model: nn.Module, losses: Callable[[nn.Module, Any], Tensor]) -> None:
        super().__init__()
        self.model = model
        self._losses = losses

    def forward(self, batch: Any) -> Tensor:
        """Per-sample losses of a batch, shape (N,)."""
        return self._losses(self.model, batch)


class Influence:
    r"""Which samples would lower the loss of a reference set if they were trained on?

    With the mean gradient v of the reference losses and the mean curvature H of the training
    losses, the influence of a sample z is (paper, equations 2 and 4)

    .. math:: I(z) = -s_{test} \cdot \nabla l(z), \quad s_{test} = (H + \lambda I)^{-1} v

    *More negative is more helpful.* In units of the loss: adding z with weight eps to the *mean*
    training loss changes the mean reference loss by eps I(z), to first order and for a trained
    model (paper, section 3.2).

    >>> x, y, model = torch.randn(30, 4), torch.arange(30) % 3, nn.Linear(4, 3)
    >>> def losses(model, batch):
    ...     return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction='none')
    >>> influence = Influence(model.eval(), losses, log=lambda text: None)
    >>> s_test = influence.fit(train=[(x[:10], y[:10])], reference=[(x[10:20], y[10:20])]).x
    >>> influence.scores((x[20:], y[20:])).shape  # I(z) = -s_test . grad l(z)
    torch.Size([10])

    Args:
        model: Any module, in eval mode.
        losses: ``losses(model, batch)`` returns the loss of each sample, shape (N,). Sample i must
            depend on itself alone.
        params: Patterns of parameter names. Defaults to None: the last layers, found from the loss.
        solver: Solver that computes s_test. Defaults to None: ``CG()``.
        log: Receives which methods were chosen and why, one line per event. Defaults to print.

    Attributes:
        model: The model.
        solver: The solver.
        params: The chosen parameters by name, P values in all; empty before :meth:`fit`.
        solution: s_test and the solver's report; None before :meth:`fit`.
    """

    def __init__(
        self,
        model: nn.Module,
        losses: Callable[[nn.Module, Any], Tensor],
        params: list[str] | None = None,
        solver: Solver | None = None,
        log: Callable[[str], None] = print,
    ) -> None:
        self.model = model
        self.solver: Solver = solver or CG()
        self.params: dict[str, nn.Parameter] = {}
        self.solution: Solution | None = None
        self._losses = losses
        self._patterns = params
        self._log = log
        self._selector = MethodSelector(self._log_selection)

    @property
    def method(self) -> str | None:
        """Name of the method that makes the scores; None before the first batch is scored."""
        return self._selector.method

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
            seed: Seed of the solver's random choices. Defaults to 0.
            progress: Shows how far the solver is; see
                :data:`~mmal.influence.solvers.base.Progress`. Defaults to None: silence.

        Returns:
            s_test and the solver's report; also kept as :attr:`solution`.

        Raises:
            ValueError: If a set is empty, a pattern fits nothing, or the model is not ready (batch
                normalisation in train mode, half precision).
            FloatingPointError: If the solver finds no finite solution.
        """
        train = iter(train)
        first = next(train, None)
        if first is None:
            raise ValueError('The labeled set is empty: there is no curvature of nothing.')
        check_model(self.model, {})
        self.params = select_parameters(self.model, self._patterns or self._last_layers(first))
        self._selector = MethodSelector(self._log_selection)
        check_model(self.model, self.params)

        losses = partial(self._losses, self.model)
        with restrict_grad(self.model, self.params):
            v = mean_gradient(losses, reference, self.params)
            curvature: Any = None
            if self.solver.samples_needed != 0:
                batches = chain([first], train)
                kind = self.solver.curvature
                curvature = build_curvature(
                    self.model, losses, batches, self.params, kind, log=self._log
                )
            self.solution = self.solver.solve(v, curvature, seed, self._log, progress)
        return self.solution

    @torch.enable_grad()
    def scores(self, batch: Any) -> Tensor:
        """Compute I(z) = -s_test . grad l(z) of each sample of a batch.

        More negative is more helpful.

        Args:
            batch: A batch as ``losses`` takes it. The labels in it may be the model's own.

        Returns:
            The influences in units of the loss, shape (N,).

        Raises:
            RuntimeError: If :meth:`fit` was not called, or the loss is not deterministic.
            ValueError: If the model is not ready (batch normalisation in train mode, half
                precision).
        """
        if self.solution is None:
            raise RuntimeError('Influence.scores needs s_test: call fit() first.')
        check_model(self.model, self.params)
        with restrict_grad(self.model, self.params):
            return -self._derivative(batch, self.solution.x)

    def _last_layers(self, batch: Any) -> list[str]:
        """Names of the parameters of the last layers, found from the loss of a batch."""

        def loss() -> Tensor:
            return self._losses(self.model, batch).sum()

        return find_last_layers(self.model, loss)

    def _derivative(self, batch: Any, s: Tensor) -> Tensor:
        """Take s . grad l(z) by the fastest method that agrees with plain autograd, shape (N,)."""
        methods: dict[str, Callable[[], Tensor]] = {
            'output': partial(self._by_output, batch, s),
            'forward': partial(self._by_forward, batch, s),
            FORWARD_MATH_ATTENTION: partial(self._by_forward, batch, s, plain_attention=True),
            'backward': partial(self._by_backward, batch, s),
        }
        if self._selector.settled and self._selector.method is not None:
            return methods[self._selector.method]()

        gradients = self._sample_gradients(batch)
        # one sample, or nothing but zeros, shows nothing about the order of samples in the outputs
        n_informative = sum(is_informative(grad) for grad in gradients.values())
        reference = Reference(gradients, informative=n_informative > 1)
        selection = self._selector.select(methods, reference, s)
        # there is no fallback, so the selected method was run
        return cast(Tensor, selection.values)

    def _sample_gradients(self, batch: Any) -> dict[int, Tensor]:
        """Plain gradients of some samples of a batch, by their row."""
        losses = self._losses(self.model, batch)
        stride = math.ceil(len(losses) / MAX_COMPARED_SAMPLES)
        gradients: dict[int, Tensor] = {}
        for row in range(0, len(losses), stride):
            loss = losses[row]
            gradients[row] = gradient(loss, self.params, retain_graph=True)
        return gradients

    def _log_selection(self, selection: Selection) -> None:
        """Log why methods were not taken, and which one is used from now on."""
        for rejection in selection.rejections:
            reason = rejection.error or 'differs from plain autograd'
            self._log(f'Directional derivative: not by {rejection.method} ({reason})')
        if selection.method is not None and selection.changed:
            self._log(f'Directional derivative: by {selection.method}')

    def _by_output(self, batch: Any, s: Tensor) -> Tensor:
        """One backward pass down to the outputs of the chosen layers, which must be affine."""
        with AffineTape(self.model, self.params) as tape:
            losses = self._losses(self.model, batch)
        direction = unflatten(s, self.params)
        return tape.derivative(losses.sum(), direction, len(losses))

    def _by_forward(self, batch: Any, s: Tensor, plain_attention: bool = False) -> Tensor:
        """One forward pass with dual numbers."""
        direction: dict[str, Tensor] = {}
        for name, piece in unflatten(s, self.params).items():
            direction[f'model.{name}'] = piece
        module = _LossModule(self.model, self._losses)
        _, tangent = outputs_and_tangents(module, (batch,), direction, plain_attention)
        return tangent

    def _by_backward(self, batch: Any, s: Tensor) -> Tensor:
        """One backward pass per sample."""
        losses = self._losses(self.model, batch)
        derivatives: list[Tensor] = []
        for loss in losses:
            plain_gradient = gradient(loss, self.params, retain_graph=True)
            derivatives.append(plain_gradient @ s)
        return torch.stack(derivatives)
