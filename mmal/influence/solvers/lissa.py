"""LiSSA, the stochastic solver of the paper's Algorithm 3."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import torch
from torch import Tensor

from ..curvature import Curvature
from ..parameters import matches
from .base import CostMeter, Progress, Solution, check_curvature_kind, no_progress, require_finite
from .power_iteration import largest_eigenvalue

MAX_PROBES = 10
"""Mini-batches at most whose largest eigenvalue decides on the scale."""


@dataclass(frozen=True)
class LiSSASettings:
    """Settings that a preset decides on together; see :class:`LiSSA`.

    Attributes:
        damping: Share of h that is forgotten at each step.
        scale: Divisor of the curvature: a number, a number by pattern of parameter names, or None
            to find one.
        depth: Number of steps of one run.
        batch_size: Number of samples in a mini-batch.
        repeats: Number of runs that are averaged.
        divide: Whether the result is divided by the scale.
    """

    damping: float = 0.01
    scale: float | dict[str, float] | None = None
    depth: int = 1000
    batch_size: int = 1
    repeats: int = 4
    divide: bool = True


DEFAULTS = LiSSASettings()

OFFICIAL_SCALE = {
    '*conv_cls*': 100.0,
    '*conv_reg*': 8000.0,
    '*conv_centerness*': 5000.0,
    '*rpn_cls*': 1000.0,
    '*rpn_reg*': 1000.0,
    '*fc_cls*': 5000.0,
    '*fc_reg*': 1000.0,
    '*': 10000.0,
}
"""Scale by layer in the first authors' code."""

PRESETS = dict(
    paper=LiSSASettings(damping=0.0, scale=1.0, depth=250),
    official=LiSSASettings(divide=False, scale=OFFICIAL_SCALE),
)
"""Settings of the paper's text (Algorithm 3, section 4.1), and of the first authors' code, which
differ."""


class _Explosion(Exception):
    """The recursion left the bound it can never leave while every step is a contraction."""


class LiSSA:
    r"""Stochastic estimation of :math:`(H + \lambda I)^{-1} v`, the paper's Algorithm 3.

    Unlike the paper's recursion, this one has a damping and a scale:

    .. math:: h_0 = v, \quad h_i = v + (1 - \text{damping}) h_{i-1} - H_i h_{i-1} / \text{scale}

    :math:`H_i` is the mean curvature of one mini-batch, drawn without replacement as long as they
    last. The mean of the last h of ``repeats`` runs, *divided by scale*, is returned. Its fixed
    point is :math:`(H + \text{damping} \cdot \text{scale} \cdot I)^{-1} v`, so lambda is the
    product of the two.

    While every step is a contraction, :math:`|h_i| \le (i + 1) |v|` (in the norm weighted by the
    scale, if there is one per layer). Beyond that bound the recursion explodes, mostly without
    reaching a NaN. The run is then restarted with a doubled scale.

    The preset ``paper`` is Algorithm 3 to the letter (damping 0, scale 1), with 250 steps of one
    sample and 4 repeats. The preset ``official`` is the first authors' code: damping 0.01, one
    scale per layer, 1000 steps of one sample, 4 repeats, and no division by scale. Its fixed point
    :math:`(S^{-1} H + 0.01 I)^{-1} v` is close to 100 v. (They also sum v over the reference set,
    which changes no ranking, and leave out biases: StestHook's ``biases=False``.)

    >>> from mmal.influence import DoubleBackward
    >>> model, x = torch.nn.Linear(2, 1, bias=False), torch.eye(2)
    >>> losses = lambda batch: model(batch)[:, 0].square()  # their mean Hessian is the identity
    >>> curvature = DoubleBackward(losses, [x], dict(model.named_parameters()))
    >>> solver = LiSSA(damping=0.1, scale=10.0, depth=100, repeats=1)
    >>> solution = solver.solve(torch.tensor([1.0, 2.0]), curvature)
    >>> solution.x, round(solution.report['effective_damping'], 6)
    (tensor([0.5000, 1.0000]), 1.0)

    Args:
        damping: Share of h that is forgotten at each step, from 0 to below 1. Defaults to 0.01.
        scale: Divisor of the curvature, which must exceed the largest eigenvalue of a single
            mini-batch's curvature. A number, or a number by pattern of parameter names (the first
            that fits). Defaults to None: found by power iteration on ten mini-batches, and doubled
            for safety.
        depth: Number of steps of one run (k in the paper). Defaults to 1000.
        batch_size: Number of samples in a mini-batch, for whoever makes the curvature. Defaults to
            1.
        repeats: Number of runs that are averaged (p in the paper). Defaults to 4.
        divide: Whether the result is divided by the scale. Defaults to True.
        preset: 'paper' or 'official'. Arguments given beside it take precedence. Defaults to None.
        curvature: 'hessian' or 'ggn'. Defaults to 'hessian'.
        max_restarts: Number of times that the scale is doubled before the solver gives up. Defaults
            to 20.

    Attributes:
        samples_needed: Number of samples that all runs draw together.

    Raises:
        ValueError: If a setting is out of range or the preset unknown.
    """

    def __init__(
        self,
        damping: float | None = None,
        scale: float | dict[str, float] | None = None,
        depth: int | None = None,
        batch_size: int | None = None,
        repeats: int | None = None,
        divide: bool | None = None,
        preset: str | None = None,
        curvature: str = 'hessian',
        max_restarts: int = 20,
    ) -> None:
        if preset is not None and preset not in PRESETS:
            raise ValueError(f'LiSSA: no preset {preset!r}; there are {", ".join(PRESETS)}.')
        base = DEFAULTS if preset is None else PRESETS[preset]
        arguments = dict(
            damping=damping,
            scale=scale,
            depth=depth,
            batch_size=batch_size,
            repeats=repeats,
            divide=divide,
        )
        given: dict[str, Any] = {k: v for k, v in arguments.items() if v is not None}
        settings = dataclasses.replace(base, **given)
        self.damping = settings.damping
        self.scale = settings.scale
        self.depth = settings.depth
        self.batch_size: int | None = settings.batch_size
        self.repeats = settings.repeats
        self.divide = settings.divide
        self.preset = preset
        self.curvature = curvature
        self.max_restarts = max_restarts
        self.samples_needed: int | None = settings.depth * settings.repeats * settings.batch_size
        check_curvature_kind(self)
        _check_settings(settings)

    def solve(
        self,
        v: Tensor,
        curvature: Curvature,
        seed: int = 0,
        log: Callable[[str], None] = print,
        progress: Progress | None = None,
    ) -> Solution:
        """Estimate s_test; the trace is |h| / scale after each step, run after run.

        Args:
            v: Mean gradient of the reference losses, shape (P,).
            curvature: The mean curvature H.
            seed: Seed of the mini-batches that are drawn. Defaults to 0.
            log: Receives one line per restart. Defaults to print.
            progress: Shows the steps of each run. Defaults to None: silence.

        Returns:
            The estimate. Its report also has ``preset``, ``damping``, ``scale`` as used, ``depth``
            and ``repeats``.

        Raises:
            FloatingPointError: If v is not finite, or no scale within ``max_restarts`` doublings
                gives a finite result.
            ValueError: If no pattern of ``scale`` fits a parameter.
        """
        require_finite(v)
        meter = CostMeter(curvature)
        scale = self._start_scale(v, curvature, seed)
        restarts = 0
        while True:
            try:
                total, trace = self._sum_of_runs(v, curvature, scale, seed, progress or no_progress)
                break
            except _Explosion as reason:
                restarts += 1
                scale = self._doubled_scale(scale, restarts, reason, log)

        x = total / self.repeats
        if self.divide:
            x = x / scale
        report = meter.report(
            self,
            preset=self.preset,
            damping=self.damping,
            scale=_plain(scale),
            effective_damping=_plain(self.damping * scale),
            depth=self.depth,
            repeats=self.repeats,
            restarts=restarts,
            iterations=self.depth * self.repeats,
            trace=trace,
        )
        return Solution(x, report)

    def _start_scale(self, v: Tensor, curvature: Curvature, seed: int) -> Tensor:
        """The scale, a number (shape ()) or one for each of the P parameters."""
        if isinstance(self.scale, dict):
            pieces: list[Tensor] = []
            for name, parameter in curvature.params.items():
                scale = _scale_of(name, self.scale)
                pieces.append(v.new_full((parameter.numel(),), scale))
            return torch.cat(pieces)
        if self.scale is not None:
            return v.new_tensor(self.scale)

        n_batches = len(curvature)
        probes = Random(f'{seed}/scale').sample(range(n_batches), min(MAX_PROBES, n_batches))
        generator = torch.Generator().manual_seed(seed)
        eigenvalues: list[float] = []
        for batch in probes:
            product = partial(curvature.product, batch=batch)
            eigenvalues.append(largest_eigenvalue(product, v, 5, generator))
        return v.new_tensor(2 * max(eigenvalues) or 1.0)

    def _doubled_scale(
        self, scale: Tensor, restarts: int, reason: _Explosion, log: Callable[[str], None]
    ) -> Tensor:
        """Twice the scale, or a FloatingPointError after too many restarts."""
        if restarts > self.max_restarts:
            raise FloatingPointError(
                f'LiSSA did not stay finite within {self.max_restarts} doublings of scale (now '
                f'{_text(scale)}): {reason}. Raise solver.scale above the largest eigenvalue of a '
                'single batch, raise solver.damping, raise solver.batch_size, or, where the '
                "Hessian is indefinite, set solver.curvature='ggn'."
            ) from None
        doubled = 2 * scale
        log(f'LiSSA: {reason}; restarting with scale {_text(scale)} -> {_text(doubled)}.')
        return doubled

    def _sum_of_runs(
        self, v: Tensor, curvature: Curvature, scale: Tensor, seed: int, progress: Progress
    ) -> tuple[Tensor, list[float]]:
        """The sum of the last h of all runs, and the trace."""
        total = v.new_zeros(v.shape)
        trace: list[float] = []
        for repeat in range(self.repeats):
            steps = self._draw(len(curvature), seed, repeat)
            title = f'LiSSA run {repeat + 1}/{self.repeats}'
            total += self._run(v, curvature, scale, progress(steps, self.depth, title), trace)
        return total, trace

    def _draw(self, n: int, seed: int, repeat: int) -> list[int]:
        """The mini-batch of each step of one run: all n before any comes again."""
        rng = Random(f'{seed}/lissa/{repeat}')
        batches: list[int] = []
        while len(batches) < self.depth:
            batches += rng.sample(range(n), n)
        return batches[: self.depth]

    def _run(
        self,
        v: Tensor,
        curvature: Curvature,
        scale: Tensor,
        steps: Iterable[int],
        trace: list[float],
    ) -> Tensor:
        """The last h of one run of the recursion; appends each step's |h| / scale to ``trace``."""
        h = v.clone()
        root = scale.sqrt()
        bound = float((root * v).norm())
        for i, batch in enumerate(steps, 1):
            h = v + (1 - self.damping) * h - curvature.product(h, batch) / scale
            norm = float((root * h).norm())
            trace.append(float((h / scale).norm()))
            # also true where the norm is not a number
            if not norm <= 1.001 * (i + 1) * bound + 1e-30:
                raise _Explosion(
                    f'|h| = {float(h.norm()):.3g} after step {i} is {norm / bound:.3g} times |v|, '
                    f'more than {i + 1}'
                )
        return h


def _check_settings(settings: LiSSASettings) -> None:
    """Raise a ValueError if a setting is out of range."""
    if not 0 <= settings.damping < 1:
        raise ValueError(f'LiSSA: expected 0 <= damping < 1, got {settings.damping}.')
    scales: list[float] = []
    if isinstance(settings.scale, dict):
        scales = list(settings.scale.values())
    elif settings.scale is not None:
        scales = [settings.scale]
    for scale in scales:
        if not (scale > 0 and math.isfinite(scale)):
            raise ValueError(f'LiSSA: expected a positive scale, got {scale}.')
    if settings.scale is not None and not scales:
        raise ValueError(f'LiSSA: expected a positive scale, got {settings.scale}.')
    if min(settings.depth, settings.batch_size, settings.repeats) < 1:
        raise ValueError(
            'LiSSA: depth, batch_size and repeats must be at least 1, '
            f'got {settings.depth}, {settings.batch_size}, {settings.repeats}.'
        )


def _scale_of(name: str, scale_by_pattern: dict[str, float]) -> float:
    """The scale of the first pattern that fits a parameter's name."""
    for pattern, scale in scale_by_pattern.items():
        if matches(name, pattern):
            return scale
    raise ValueError(f'LiSSA: no pattern of scale fits {name}; add "*".')


def _plain(value: Tensor) -> float | list[float]:
    """A number, or the different numbers in their order."""
    numbers: list[float] = list(dict.fromkeys(value.reshape(-1).tolist()))
    if len(numbers) == 1:
        return numbers[0]
    return numbers


def _text(value: Tensor) -> str:
    """A scale as it is printed in the log: 100 or 100/8000/5000."""
    numbers = _plain(value)
    if isinstance(numbers, float):
        return f'{numbers:g}'
    return '/'.join(f'{number:g}' for number in numbers)
