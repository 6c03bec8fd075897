"""How much room a run needs on disk, told before it begins."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import OPTIMIZERS
from torch import nn

from mmal.errors import InputError
from mmal.pool.budget import BudgetUnit
from mmal.run.resume_points import MAX_POINTS

from .context import RunContext
from .training_checkpoints import best_checkpoints, kept_checkpoints

SCORE_BYTES = 64
"""About one row of ``scores.csv``."""

LABEL_BYTES = 1024
"""About what one image takes in ``labeled.json`` and ``chosen.json``: seven boxes."""

PASS_BYTES = 8192
"""At most what an unfinished pass keeps of an image: 2048 features in float32."""

UNKNOWN_OPTIMIZER_COPIES = 2
"""Copies of the parameters that an optimizer is taken to keep if it cannot be tried: as Adam."""


@dataclass(frozen=True)
class DiskNeed:
    """Bytes that a run writes.

    Attributes:
        checkpoint: ``checkpoint.pth`` of a round: the weights alone.
        hook_checkpoints: What mmengine's CheckpointHook keeps of a round, as the config asks.
        other: Scores, labels and s_test of a round.
        training: What an unfinished training has besides: resume points and the hook's newest
            checkpoint, with optimizer state.
        passes: What unfinished passes over the pool have besides.
        rounds: Number of rounds that are still to come.
    """

    checkpoint: int
    hook_checkpoints: int
    other: int
    training: int
    passes: int
    rounds: int

    @property
    def round(self) -> int:
        """What a finished round leaves."""
        return self.checkpoint + self.hook_checkpoints + self.other

    @property
    def most(self) -> int:
        """The most that is there at once: every round, and the unfinished work of the last."""
        return self.rounds * self.round + max(self.training, self.passes)


def disk_need(
    run: RunContext, inner: Mapping[str, Any], rounds_done: int, stest_values: int = 0
) -> DiskNeed:
    """Estimate how much room a run needs, from the parameters of its model and its config.

    Logs, pages and pictures that hooks draw are left out.

    Args:
        run: The run.
        inner: Arguments of the inner training loop.
        rounds_done: Number of rounds that are evaluated already.
        stest_values: Number of values in s_test. Defaults to 0.
    """
    settings = run.settings
    model = run.models.untrained_model()
    weights = state_bytes(model)
    training_state = weights + _optimizer_bytes(run.cfg, model)
    if _has_averaged_weights(run.cfg):
        training_state += weights
    n_images = len(run.data.images)
    labeled = n_images
    if settings.unit is BudgetUnit.IMAGE:
        labeled = min(n_images, settings.initial + (settings.rounds - 1) * settings.query)
    best = best_checkpoints(run.cfg) * weights
    return DiskNeed(
        checkpoint=weights,
        hook_checkpoints=kept_checkpoints(run.cfg, inner) * training_state + best,
        other=n_images * SCORE_BYTES + labeled * LABEL_BYTES + 4 * stest_values,
        # A resume point is written before the oldest is removed.
        training=(MAX_POINTS + 2) * training_state,
        passes=n_images * PASS_BYTES,
        rounds=max(0, settings.rounds - rounds_done),
    )


def state_bytes(model: nn.Module) -> int:
    """Bytes of the parameters and buffers of a model, as a checkpoint keeps them.

    Args:
        model: The model.
    """
    total = 0
    for tensor in model.state_dict().values():
        total += tensor.numel() * tensor.element_size()
    return total


def _optimizer_bytes(cfg: Any, model: nn.Module) -> int:
    """Bytes of the optimizer's state, once it has made a step."""
    trained = 0
    for parameter in model.parameters():
        if parameter.requires_grad:
            trained += parameter.numel() * parameter.element_size()
    optimizer = (cfg.get('optim_wrapper') or {}).get('optimizer')
    return round(trained * state_copies(optimizer))


def state_copies(optimizer_cfg: Mapping[str, Any] | None) -> float:
    """How many copies of a parameter an optimizer keeps, found by a step with a small one.

    Args:
        optimizer_cfg: Config of the optimizer. None, or one that cannot be tried, is taken to be
            like Adam.
    """
    if optimizer_cfg is None:
        return UNKNOWN_OPTIMIZER_COPIES
    parameter = nn.Parameter(torch.zeros(8, 8))
    parameter.grad = torch.zeros(8, 8)
    try:
        optimizer = OPTIMIZERS.build(dict(optimizer_cfg, params=[parameter]))
        optimizer.step()
    except (TypeError, ValueError, RuntimeError, KeyError):
        return UNKNOWN_OPTIMIZER_COPIES
    values = 0
    for state in optimizer.state.values():
        for value in state.values():
            if isinstance(value, torch.Tensor) and value.dim():
                values += value.numel()
    return values / parameter.numel()


def _has_averaged_weights(cfg: Any) -> bool:
    """Whether a hook keeps an average of the weights, which its checkpoints have as well."""
    for hook in cfg.get('custom_hooks') or ():
        kind = hook.get('type') if isinstance(hook, Mapping) else type(hook)
        name = getattr(kind, '__name__', str(kind))
        if name.split('.')[-1].endswith('EMAHook'):
            return True
    return False


def free_bytes(work_dir: str | Path) -> int:
    """Bytes that are free where a work_dir is, or is to be.

    Args:
        work_dir: The work_dir.
    """
    folder = Path(work_dir).absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def describe_need(need: DiskNeed, work_dir: str | Path) -> str:
    """The need as text, beside what is free.

    Args:
        need: The need.
        work_dir: Work directory of the run.

    Raises:
        InputError: If it cannot fit.
    """
    free = free_bytes(work_dir)
    parts = [f'checkpoint.pth {_size(need.checkpoint)}']
    if need.hook_checkpoints:
        parts.append(f"CheckpointHook's {_size(need.hook_checkpoints)}")
    parts.append(f'scores and labels {_size(need.other)}')
    text = (
        f'about {_size(need.round)} a round ({", ".join(parts)}), {_size(need.training)} more '
        f'while one trains, {_size(need.passes)} while one scores: {_size(need.most)} in all for '
        f'{need.rounds} rounds; {_size(free)} are free'
    )
    if need.most <= free:
        return text
    cure = 'Free room, take another --work-dir, or lower train_cfg.rounds'
    if need.hook_checkpoints:
        cure += ', or have fewer checkpoints kept: default_hooks.checkpoint.max_keep_ckpts'
    raise InputError(f'The disk of {work_dir} is too small: {text}. {cure}.')


def _size(n_bytes: int) -> str:
    if n_bytes >= 2**30:
        return f'{n_bytes / 2**30:.1f} GiB'
    return f'{n_bytes / 2**20:.1f} MiB'
