"""A round's own Runner: fresh model, optimizer, schedulers and hooks, in the round's folder."""

from __future__ import annotations

import copy
import gc
import logging
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmengine.runner.checkpoint import get_state_dict, weights_to_cpu

from mmal.datasets.seeded import seeded_loader
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.engine.hooks.collect_dir_hook import CollectDirHook
from mmal.errors import InputError
from mmal.fileio.atomic import oserror_with_folder
from mmal.fileio.tensors import load_tensors, save_tensors
from mmal.run.resume_points import last_point
from mmal.utils.seeding import derive_seed


def train_loop_cfg(inner: dict, inner_type: str | None) -> dict:
    """The round's own train_cfg, from what ActiveLoop's inherited beside its own arguments.

    Args:
        inner: E.g. ``dict(max_epochs=12, val_interval=1)``.
        inner_type: A loop type, or None to tell from ``inner``.
    """
    if inner_type is None and ('max_epochs' in inner) == ('max_iters' in inner):
        raise InputError(
            'train_cfg: a round needs max_epochs or max_iters (one of them), as for an ordinary training; '
            f'found {sorted(inner)}.'
        )
    by_epoch = 'max_epochs' in inner
    return dict(
        type=inner_type or ('EpochBasedTrainLoop' if by_epoch else 'IterBasedTrainLoop'), **inner
    )


def round_cfg(
    outer: Config, name: str, folder: Path, number: int, seed: int, train_cfg: dict
) -> Config:
    """The config of a Runner that works for round ``number`` in ``folder``."""
    cfg = copy.deepcopy(outer)
    cfg.train_cfg = train_cfg
    cfg.work_dir, cfg.experiment_name, cfg.resume, cfg.active_round = (
        str(folder),
        name,
        False,
        number,
    )
    cfg.randomness = dict(
        cfg.get('randomness') or {}, seed=derive_seed(seed, f'train/{number}'), diff_rank_seed=False
    )
    if cfg.get('visualizer') is not None:  # visualizers are process-global by name
        cfg.visualizer.name = name
        cfg.visualizer.pop('save_dir', None)
        cfg.visualizer.vis_backends = folder_backends(cfg.visualizer)
    return cfg


def folder_backends(visualizer: dict) -> list[dict]:
    """Those of a visualizer's backends that write into the folder they are given, and nothing else.

    WandB, MLflow and their like have one run a process, that of the outer Runner; a round's own would end it.
    """
    listed = visualizer.get('vis_backends') or []
    types = [
        (b, getattr(b['type'], '__name__', str(b['type'])).split('.')[-1])
        for b in ([listed] if isinstance(listed, dict) else listed)
    ]
    return [b for b, kind in types if kind in ('LocalVisBackend', 'TensorboardVisBackend')]


def _build(cfg: Config) -> Runner:
    """A Runner that does not repeat environment and config in the log; the config lies in its folder."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        runner = Runner.from_cfg(cfg)
        runner.register_hook(CollectDirHook())
        return runner
    finally:
        logging.disable(before)
        logger = MMLogger.get_current_instance()
        logger.setLevel(logger.level)  # makes it forget what was disabled


def train(cfg: Config, path: Path) -> None:
    """Train, and write what tools/test.py can read: state_dict and meta, no optimizer.

    A training that was interrupted goes on from its last whole :class:`~mmal.engine.hooks.MidTrainingCheckpointHook`. The points stay: they
    are the caller's to remove, when it has noted that the training is done.

    Raises:
        FloatingPointError: If training left weights that are not finite.
    """
    with oserror_with_folder(cfg.work_dir):
        runner = _build(_resumable(cfg))
        model = runner.train()
    model = model.module if is_model_wrapper(model) else model
    classes = tuple(
        map(str, getattr(runner.train_dataloader.dataset, 'metainfo', {}).get('classes', ()))
    )
    checkpoint = dict(
        meta=dict(dataset_meta=dict(classes=classes), round=cfg.active_round),
        state_dict=weights_to_cpu(get_state_dict(model)),
    )
    runner.call_hook(
        'before_save_checkpoint', checkpoint=checkpoint
    )  # EMAHook puts the averaged weights in
    bad = [
        n
        for n, t in checkpoint['state_dict'].items()
        if t.is_floating_point() and not bool(t.isfinite().all())
    ]
    if bad:
        raise FloatingPointError(
            f'Training left weights that are not finite, first in {bad[0]}. '
            'Lower optim_wrapper.optimizer.lr or set optim_wrapper.clip_grad.'
        )
    if is_main_process():
        save_tensors(path, checkpoint)
    close_global_state(runner)
    del runner, model, checkpoint
    free_memory()


def _resumable(cfg: Config) -> Config:
    """A config whose training can be interrupted, and goes on if it was."""
    cfg, logger = copy.deepcopy(cfg), MMLogger.get_current_instance()
    cfg.train_dataloader = seeded_loader(cfg.train_dataloader, cfg.randomness.seed)
    hooks = list(cfg.get('custom_hooks') or [])
    if not any(
        h.get('type') == 'mmal.MidTrainingCheckpointHook' for h in hooks if isinstance(h, dict)
    ):
        cfg.custom_hooks = [*hooks, dict(type='mmal.MidTrainingCheckpointHook')]
    point = run_on_rank_zero(lambda: last_point(cfg.work_dir, logger))
    if point is not None:
        cfg.resume, cfg.load_from = True, str(point)
        logger.info(f'The training goes on from {point}.')
    return cfg


def close_global_state(runner: Runner) -> None:
    """Empty what mmengine keeps by name as long as the process lives: log files, histories of scalars, a figure."""
    for handler in [h for h in runner.logger.handlers if isinstance(h, logging.FileHandler)]:
        runner.logger.removeHandler(handler)
        handler.close()
    runner.message_hub.log_scalars.clear()
    runner.message_hub.runtime_info.clear()
    for drawing in ('fig_save', 'fig_save_canvas', 'ax_save'):
        setattr(runner.visualizer, drawing, None)


def free_memory() -> None:
    """A Runner is a cycle: without this its memory stays through the phases to come."""
    gc.collect()
    torch.cuda.empty_cache()


class TrainedModel:
    """The Runner that holds a round's trained model for evaluation, s_test and scoring; built when first needed.

    Args:
        cfg: From :func:`round_cfg`.
        checkpoint: What :func:`train` wrote. It is read with an allow-list, never unpickled.
    """

    def __init__(self, cfg: Config, checkpoint: Path) -> None:
        self._cfg, self._checkpoint, self._runner = cfg, checkpoint, None

    @property
    def runner(self) -> Runner:
        if self._runner is None:
            cfg = copy.deepcopy(self._cfg)
            cfg.load_from, cfg.experiment_name = None, f'{cfg.experiment_name}_trained'
            if cfg.get('visualizer') is not None:
                cfg.visualizer.name = cfg.experiment_name
            with oserror_with_folder(cfg.work_dir):
                runner = _build(cfg)
            model = runner.model.module if is_model_wrapper(runner.model) else runner.model
            model.load_state_dict(load_tensors(self._checkpoint)['state_dict'])
            self._runner = runner
        return self._runner

    def evaluate(self) -> dict[str, float]:
        """Metrics on the test set of the config; on its validation set if it has no test set."""
        with torch.no_grad(), oserror_with_folder(self._cfg.work_dir):
            if self._cfg.get('test_dataloader') is not None:
                return self.runner.test()
            if self._cfg.get('val_dataloader') is not None:
                return self.runner.val()
        return {}

    def release(self) -> None:
        """Let go of the Runner and its memory."""
        if self._runner is not None:
            close_global_state(self._runner)
        self._runner = None
        free_memory()
