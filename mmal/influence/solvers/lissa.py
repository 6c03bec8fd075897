from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import torch
from torch import Tensor

from mmal.influence.curvature import Curvature
from mmal.influence.parameters import matches

from .base import CostMeter, Progress, Solution, check_curvature_kind, no_progress, require_finite
from .power_iteration import largest_eigenvalue

PRESETS = dict(
    paper=dict(damping=0.0, scale=1.0, depth=250, batch_size=1, repeats=4),
    official=dict(
        damping=0.01,
        depth=1000,
        batch_size=1,
        repeats=4,
        divide=False,
        scale={
            '*conv_cls*': 100.0,
            '*conv_reg*': 8000.0,
            '*conv_centerness*': 5000.0,
            '*rpn_cls*': 1000.0,
            '*rpn_reg*': 1000.0,
            '*fc_cls*': 5000.0,
            '*fc_reg*': 1000.0,
            '*': 10000.0,
        },
    ),
)
"""Settings of the paper's text (Algorithm 3, section 4.1), and of the first authors' code, which differ."""

DEFAULTS = dict(damping=0.01, scale=None, depth=1000, batch_size=1, repeats=4, divide=True)


class _Explosion(Exception):
    """The recursion left the bound it can never leave while every step is a contraction."""


class LiSSA:
    r"""Stochastic estimation of :math:`(H + \lambda I)^{-1} v`, Algorithm 3 of the paper with damping and scale.

    .. math:: h_0 = v, \quad h_i = v + (1 - \text{damping}) h_{i-1} - H_i h_{i-1} / \text{scale}

    :math:`H_i` is the mean curvature of one mini-batch, drawn without replacement as long as they last. The mean of
    the last h of ``repeats`` runs, *divided by scale*, is returned. Its fixed point is
    :math:`(H + \text{damping} \cdot \text{scale} \cdot I)^{-1} v`, so lambda is the product of the two.

    While every step is a contraction, :math:`|h_i| \le (i + 1) |v|` (in the norm weighted by the scale, if that is one
    a layer). Beyond that bound the recursion explodes, mostly without reaching a NaN: the run is restarted with a
    doubled scale.

    Presets: ``paper`` is Algorithm 3 to the letter (damping 0, scale 1), 250 steps of one sample, 4 repeats.
    ``official`` is the first authors' code: damping 0.01, a scale a layer, 1000 steps of one sample, 4 repeats, and
    no division by scale; its fixed point :math:`(S^{-1} H + 0.01 I)^{-1} v` is close to 100 v. (They also sum v over
    the reference set, which changes no ranking, and leave out biases: StestHook's ``biases=False``.)

    Args:
        damping: Share of h forgotten each step; 0 to below 1. Defaults to 0.01.
        scale: Must exceed the largest eigenvalue of a single mini-batch's curvature. A number, or a number by pattern
            of parameter names (the first that fits). Defaults to None: found by power iteration on ten mini-batches,
            and doubled for safety.
        depth: Steps of one run (k in the paper). Defaults to 1000.
        batch_size: Samples to a mini-batch, for whoever makes the curvature. Defaults to 1.
        repeats: Runs that are averaged (p in the paper). Defaults to 4.
        divide: Divide by scale at the end. Defaults to True.
        preset: 'paper' or 'official'; what is given beside it wins. Defaults to None.
        curvature: 'hessian' or 'ggn'. Defaults to 'hessian'.
        max_restarts: Doublings of scale before giving up. Defaults to 20.

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
        given = dict(
            damping=damping,
            scale=scale,
            depth=depth,
            batch_size=batch_size,
            repeats=repeats,
            divide=divide,
        )
        chosen = {
            **DEFAULTS,
            **PRESETS.get(preset, {}),
            **{k: v for k, v in given.items() if v is not None},
        }
        self.damping, self.scale, self.divide = chosen['damping'], chosen['scale'], chosen['divide']
        self.depth, self.batch_size, self.repeats = (
            chosen['depth'],
            chosen['batch_size'],
            chosen['repeats'],
        )
        self.preset, self.curvature, self.max_restarts = preset, curvature, max_restarts
        check_curvature_kind(self)
        if not 0 <= self.damping < 1:
            raise ValueError(f'LiSSA: expected 0 <= damping < 1, got {self.damping}.')
        for value in self.scale.values() if isinstance(self.scale, dict) else [self.scale or 1.0]:
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f'LiSSA: expected a positive scale, got {value}.')
        if scale is not None and not scale:
            raise ValueError(f'LiSSA: expected a positive scale, got {scale}.')
        if min(self.depth, self.batch_size, self.repeats) < 1:
            raise ValueError(
                'LiSSA: depth, batch_size and repeats must be at least 1, '
                f'got {self.depth}, {self.batch_size}, {self.repeats}.'
            )
        self.samples_needed = self.depth * self.repeats * self.batch_size

    def solve(
        self,
        v: Tensor,
        curvature: Curvature,
        seed: int = 0,
        log: Callable[[str], None] = print,
        progress: Progress | None = None,
    ) -> Solution:
        """Estimate s_test; the trace is |h| / scale after each step, run after run.

        Returns:
            The estimate; its report also has ``scale`` as used and ``damping``.

        Raises:
            FloatingPointError: If v is not finite, or no scale within ``max_restarts`` doublings gives a finite result.
        """
        require_finite(v)
        account, restarts = CostMeter(curvature), 0
        start = self._start_scale(v, curvature, seed)
        scale = start
        while True:
            total, trace = v.new_zeros(v.shape), []
            try:
                for repeat in range(self.repeats):
                    steps = self._draw(len(curvature), seed, repeat)
                    title = f'LiSSA run {repeat + 1}/{self.repeats}'
                    total += self._run(
                        v,
                        curvature,
                        scale,
                        (progress or no_progress)(steps, self.depth, title),
                        trace,
                    )
                break
            except _Explosion as explosion:
                restarts += 1
                if restarts > self.max_restarts:
                    raise FloatingPointError(
                        f'LiSSA did not stay finite within {self.max_restarts} doublings of scale (now '
                        f'{_text(scale)}): {explosion}. Raise solver.scale above the largest eigenvalue of a single '
                        'batch, raise solver.damping, raise solver.batch_size, or, where the Hessian is indefinite, '
                        "set solver.curvature='ggn'."
                    ) from None
                log(
                    f'LiSSA: {explosion}; restarting with scale {_text(scale)} -> {_text(2 * scale)}.'
                )
                scale = 2 * scale
        x = total / self.repeats / (scale if self.divide else 1)
        damping = self.damping * scale
        return Solution(
            x,
            account.report(
                self,
                preset=self.preset,
                damping=self.damping,
                scale=_plain(scale),
                effective_damping=_plain(damping),
                depth=self.depth,
                repeats=self.repeats,
                restarts=restarts,
                iterations=self.depth * self.repeats,
                trace=trace,
            ),
        )

    def _start_scale(self, v: Tensor, curvature: Curvature, seed: int) -> Tensor:
        """The scale, a number (shape ()) or one for each of the P parameters."""
        if isinstance(self.scale, dict):
            return torch.cat(
                [v.new_full((p.numel(),), self._of(name)) for name, p in curvature.params.items()]
            )
        if self.scale is not None:
            return v.new_tensor(self.scale)
        probes = Random(f'{seed}/scale').sample(range(len(curvature)), min(10, len(curvature)))
        generator = torch.Generator().manual_seed(seed)
        found = max(
            largest_eigenvalue(lambda h, b=b: curvature.product(h, b), v, 5, generator)
            for b in probes
        )
        return v.new_tensor(2 * found or 1.0)

    def _of(self, name: str) -> float:
        for pattern, value in self.scale.items():
            if matches(name, pattern):
                return value
        raise ValueError(f'LiSSA: no pattern of scale fits {name}; add "*".')

    def _draw(self, n: int, seed: int, repeat: int) -> list[int]:
        rng, order = Random(f'{seed}/lissa/{repeat}'), []
        while len(order) < self.depth:
            order += rng.sample(range(n), n)
        return order[: self.depth]

    def _run(
        self, v: Tensor, curvature: Curvature, scale: Tensor, steps, trace: list[float]
    ) -> Tensor:
        """One run of the recursion; appends |h| / scale of every step to ``trace``."""
        h, root = v.clone(), scale.sqrt()
        bound = float((root * v).norm())
        for i, batch in enumerate(steps, 1):
            h = v + (1 - self.damping) * h - curvature.product(h, batch) / scale
            norm = float((root * h).norm())
            trace.append(float((h / scale).norm()))
            if not norm <= 1.001 * (i + 1) * bound + 1e-30:  # also true for NaN
                raise _Explosion(
                    f'|h| = {float(h.norm()):.3g} after step {i} is {norm / bound:.3g} times |v|, '
                    f'more than {i + 1}'
                )
        return h


def _plain(value: Tensor) -> float | list[float]:
    """A number, or the different numbers in their order."""
    values = list(dict.fromkeys(value.reshape(-1).tolist()))
    return values[0] if len(values) == 1 else values


def _text(value: Tensor) -> str:
    plain = _plain(value)
    return f'{plain:g}' if isinstance(plain, float) else '/'.join(f'{v:g}' for v in plain)
