"""Which checkpoints mmengine's CheckpointHook leaves of a round's training, beside
``checkpoint.pth``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

LAST_CHECKPOINT = 'last_checkpoint'
"""File in which mmengine writes the path of the newest checkpoint."""


def keeps_by_default(cfg: Config) -> bool:
    """Whether a config leaves it to mmal which checkpoints of its CheckpointHook are kept.

    Args:
        cfg: Config of a run or of a round. One that names ``max_keep_ckpts``, has no such hook
            (``checkpoint=None``) or has a hook of another class there decides by itself.
    """
    hooks = cfg.get('default_hooks') or {}
    if 'checkpoint' not in hooks:
        # mmengine's own default is a CheckpointHook.
        return True
    hook = hooks['checkpoint']
    if not isinstance(hook, Mapping) or 'max_keep_ckpts' in hook:
        return False
    kind = hook.get('type', 'CheckpointHook')
    return kind is CheckpointHook or str(kind).split('.')[-1] == 'CheckpointHook'


def keep_newest_alone(cfg: Config) -> None:
    """Have the CheckpointHook of a training keep its newest checkpoint alone, unless the config
    says otherwise. What it keeps as the best (``save_best``) stays.

    Args:
        cfg: Config of the training. It is changed in place.
    """
    if not keeps_by_default(cfg):
        return
    hooks = dict(cfg.get('default_hooks') or {})
    checkpoint = hooks.get('checkpoint') or dict(type='CheckpointHook', interval=1)
    hooks['checkpoint'] = dict(checkpoint, max_keep_ckpts=1)
    cfg.default_hooks = hooks


def remove_superseded(runner: Runner) -> None:
    """Remove the newest checkpoint of the CheckpointHook of ``default_hooks``, now that
    ``checkpoint.pth`` has the model: what it has more are the optimizer and the schedulers of a
    training that is over.

    Only rank 0 calls it.

    Args:
        runner: Runner of the training.
    """
    # Hooks of ``custom_hooks`` come later, and are the user's own.
    hooks = [hook for hook in runner.hooks if type(hook) is CheckpointHook]
    if hooks and hooks[0].last_ckpt:
        Path(hooks[0].last_ckpt).unlink(missing_ok=True)
    Path(runner.work_dir, LAST_CHECKPOINT).unlink(missing_ok=True)


def kept_checkpoints(cfg: Config, inner: Mapping[str, Any]) -> int:
    """Number of checkpoints with optimizer state that a finished round keeps, as the config asks.

    Args:
        cfg: Config of the run.
        inner: Arguments of the inner training loop.
    """
    hooks = cfg.get('default_hooks') or {}
    if keeps_by_default(cfg) or not isinstance(hooks.get('checkpoint'), Mapping):
        return 0
    hook = hooks['checkpoint']
    length = inner.get('max_epochs' if hook.get('by_epoch', True) else 'max_iters', 1)
    interval = hook.get('interval', -1)
    saved = length // interval if interval > 0 else 0
    is_last_saved = interval > 0 and length % interval == 0
    if hook.get('save_last', True) and not is_last_saved:
        saved += 1
    max_kept = hook.get('max_keep_ckpts', -1)
    return min(saved, max_kept) if max_kept > 0 else saved


def best_checkpoints(cfg: Config) -> int:
    """Number of best checkpoints (``save_best``) that a round keeps; they have no optimizer state.

    Args:
        cfg: Config of the run.
    """
    hook = (cfg.get('default_hooks') or {}).get('checkpoint')
    best = hook.get('save_best') if isinstance(hook, Mapping) else None
    if not best:
        return 0
    return 1 if isinstance(best, str) else len(best)
