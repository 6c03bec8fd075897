"""Models of a run by mmengine's Runner: a fresh inner Runner for each round, in the round's
folder.
"""

from __future__ import annotations

import copy
import gc
import inspect
import logging
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner, load_checkpoint
from mmengine.runner.checkpoint import get_state_dict, weights_to_cpu
from torch import nn

from mmal.adapters import build_model_adapter, complete_metrics
from mmal.datasets.seeded import seeded_loader
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.errors import InputError
from mmal.fileio.atomic import oserror_with_folder
from mmal.fileio.tensors import load_tensors, save_tensors
from mmal.run.layout import RoundPaths, RunPaths
from mmal.run.resume_points import last_point
from mmal.utils.rng import seeded_rng
from mmal.utils.seeding import derive_seed

from .context import Evaluation
from .given_checkpoint import load_given, read_checkpoint
from .hooks.collect_dir_hook import CollectDirHook
from .settings import LoopSettings
from .training_checkpoints import keep_newest_alone, keeps_by_default, remove_superseded

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter, ModelAdapter

_FOLDER_BACKENDS = ('LocalVisBackend', 'TensorboardVisBackend')


def train_loop_cfg(inner: dict[str, Any]) -> dict[str, Any]:
    """The round's own train_cfg, from what ActiveLoop's inherited beside its own arguments.

    Args:
        inner: Arguments of the inner training loop, for instance
            ``dict(max_epochs=12, val_interval=1)``. A ``by_epoch``, which mmpretrain's schedules
            have, must fit the others and is left out, as the loop has no such argument.

    Raises:
        InputError: If there is not exactly one of max_epochs and max_iters, ``by_epoch`` says
            something else, or an argument is known neither to ActiveLoop nor to the inner loop.
    """
    by_epoch = 'max_epochs' in inner
    by_iteration = 'max_iters' in inner
    if by_epoch == by_iteration:
        raise InputError(
            'train_cfg: a round needs max_epochs or max_iters (one of them), as for an ordinary '
            f'training; found {sorted(inner)}.'
        )
    arguments = dict(inner)
    if arguments.pop('by_epoch', by_epoch) != by_epoch:
        length = 'max_epochs' if by_epoch else 'max_iters'
        raise InputError(f'train_cfg: by_epoch={not by_epoch} does not fit {length}.')
    loop = EpochBasedTrainLoop if by_epoch else IterBasedTrainLoop
    _require_known(arguments, loop)
    return dict(type=loop.__name__, **arguments)


def _require_known(arguments: Collection[str], loop: type) -> None:
    """Refuse arguments that a training loop does not take: a name that was spelt wrong."""
    known = set(inspect.signature(loop).parameters) - {'runner', 'dataloader'}
    unknown = sorted(set(arguments) - known)
    if unknown:
        raise InputError(
            f'train_cfg: {", ".join(unknown)}: known neither to mmal.ActiveLoop nor to '
            f'{loop.__name__}, which takes {", ".join(sorted(known))}.'
        )


def round_cfg(
    outer: Config, name: str, folder: Path, number: int, seed: int, train_cfg: dict[str, Any]
) -> Config:
    """The config of a Runner that works for one round.

    Args:
        outer: Config of the run.
        name: Experiment name of the round.
        folder: Folder of the round.
        number: Number of the round, from 0.
        seed: Seed of the run.
        train_cfg: The round's own train_cfg.
    """
    cfg = copy.deepcopy(outer)
    cfg.train_cfg = train_cfg
    cfg.work_dir = str(folder)
    cfg.experiment_name = name
    cfg.resume = False
    cfg.active_round = number
    randomness = dict(cfg.get('randomness') or {})
    randomness.update(seed=derive_seed(seed, f'train/{number}'), diff_rank_seed=False)
    cfg.randomness = randomness
    if cfg.get('visualizer') is not None:
        # Visualizers are process-global by name.
        cfg.visualizer.name = name
        cfg.visualizer.pop('save_dir', None)
        cfg.visualizer.vis_backends = folder_backends(cfg.visualizer)
    return cfg


def folder_backends(visualizer: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of a visualizer's backends that write into the folder they are given, and nothing else.

    WandB, MLflow and their like have one run per process, that of the outer Runner. A round's own
    would end it.

    Args:
        visualizer: Config of the visualizer.
    """
    backends = visualizer.get('vis_backends') or []
    if isinstance(backends, dict):
        backends = [backends]
    kept = []
    for backend in backends:
        kind = backend['type']
        type_name = getattr(kind, '__name__', str(kind)).split('.')[-1]
        if type_name in _FOLDER_BACKENDS:
            kept.append(backend)
    return kept


class RunnerModels:
    """Makes the models of a run; see :class:`~mmal.engine.context.Models`.

    Args:
        runner: The outer Runner. Its own model is never trained.
        inner: Config of the inner training loop.
        data: Data side of the task.
        settings: Numbers and switches of the run.
    """

    def __init__(
        self, runner: Runner, inner: dict[str, Any], data: DataAdapter, settings: LoopSettings
    ) -> None:
        self._runner = runner
        self._inner = inner
        self._data = data
        self._settings = settings

    def round_model(self, paths: RoundPaths, labeled_file: Path) -> RunnerModel:
        """The model of a round.

        Args:
            paths: Files of the round.
            labeled_file: What the model is trained on.
        """
        name = f'{self._runner.experiment_name}_{paths.folder.name}'
        settings = self._settings
        cfg = round_cfg(
            self._runner.cfg, name, paths.folder, paths.number, settings.seed, self._inner
        )
        self._data.set_training_set(cfg, str(labeled_file))
        self._data.set_evaluation_files(cfg)
        if paths.number == 0:
            return RunnerModel(
                cfg, paths.artifact('train'), self._data.classes, settings.checkpoint
            )
        if settings.warm_start:
            before = RunPaths(paths.folder.parent).round(paths.number - 1)
            cfg.load_from = str(before.artifact('train'))
        return RunnerModel(cfg, paths.artifact('train'), self._data.classes)

    def untrained_model(self) -> nn.Module:
        """The config's model before any training, not wrapped, to check settings with."""
        return _unwrapped(self._runner.model)

    def untrained_adapter(self) -> ModelAdapter:
        """The same as influence and samplers need it."""
        return build_model_adapter(self._runner.model, self._runner.cfg)

    def pretrained_adapter(self) -> ModelAdapter:
        """The config's model with its pretrained weights, or those of the given checkpoint, the
        same at every start.
        """
        model = pretrained_model(self._runner, self._settings.seed)
        given = self._settings.checkpoint
        if given is not None:
            load_given(model, read_checkpoint(given), self._data.classes)
        return build_model_adapter(model, self._runner.cfg)

    def evaluation_dataset(self) -> Any | None:
        """The dataset that models are evaluated on, or None. Its evaluator is built, too.

        Raises:
            FileNotFoundError: If a file that either is made from does not exist.
        """
        return self._evaluation_dataset

    @cached_property
    def _evaluation_dataset(self) -> Any | None:
        cfg = copy.deepcopy(self._runner.cfg)
        self._data.set_evaluation_files(cfg)
        name = 'val' if cfg.get('test_dataloader') is None else 'test'
        loader = cfg.get(f'{name}_dataloader')
        if loader is None:
            return None
        evaluator = cfg.get(f'{name}_evaluator')
        if evaluator is not None:
            self._runner.build_evaluator(evaluator)
        return self._runner.build_dataloader(loader).dataset


def pretrained_model(runner: Runner, seed: int) -> nn.Module:
    """The config's model as it is before any training, the same at every start.

    The Runner's own model has another seed at each start if the config names none, and with it
    other weights where it is not pretrained.

    Args:
        runner: The outer Runner.
        seed: Seed of the run.
    """
    cfg = copy.deepcopy(runner.cfg)
    if cfg.get('data_preprocessor') is not None:
        # As the Runner does.
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    with seeded_rng(seed):
        model = runner.build_model(cfg.model)
        if hasattr(model, 'init_weights'):
            model.init_weights()
    if cfg.get('load_from'):
        load_checkpoint(model, cfg.load_from, map_location='cpu')
    device = next(runner.model.parameters()).device
    placed: nn.Module = model.to(device)
    return placed


class RunnerModel:
    """The model of one round; see :class:`~mmal.engine.context.RoundModel`.

    The Runner that holds the trained model is built when it is first needed.

    Args:
        cfg: Config from :func:`round_cfg`.
        checkpoint: What :meth:`train` writes. It is read with an allow-list, never unpickled.
        classes: Names of the classes, in the order of the model's outputs.
        given: Checkpoint of the trained model that is taken instead of training one. Defaults to
            None: it is trained.
    """

    def __init__(
        self, cfg: Config, checkpoint: Path, classes: tuple[str, ...], given: Path | None = None
    ) -> None:
        self._cfg = cfg
        self._checkpoint = checkpoint
        self._classes = classes
        self._given = given

    @property
    def seed(self) -> int:
        """Seed of its training."""
        seed: int = self._cfg.randomness.seed
        return seed

    def train(self, checkpoint: Path) -> None:
        """Train it, or take the given one, and write what tools/test.py can read: state_dict and
        meta, no optimizer.

        An interrupted training continues from its last whole resume point. The points stay: the
        caller removes them when it has recorded that the training is done.

        Args:
            checkpoint: Path of the checkpoint.

        Raises:
            FloatingPointError: If training left weights that are not finite.
            InputError: If the given model is not one of this config and these classes.
        """
        with oserror_with_folder(self._cfg.work_dir):
            runner = _build_runner(_resumable(self._cfg))
            if self._given is None:
                runner.train()
            else:
                load_given(_unwrapped(runner.model), read_checkpoint(self._given), self._classes)
        content = dict(
            meta=dict(dataset_meta=dict(classes=self._classes), round=self._cfg.active_round),
            state_dict=weights_to_cpu(get_state_dict(_unwrapped(runner.model))),
        )
        if self._given is None:
            # EMAHook puts the averaged weights in.
            runner.call_hook('before_save_checkpoint', checkpoint=content)
        _require_finite(content['state_dict'])
        if is_main_process():
            save_tensors(checkpoint, content)
            if keeps_by_default(self._cfg):
                remove_superseded(runner)
        close_global_state(runner)
        del runner, content
        free_memory()

    @cached_property
    def _runner(self) -> Runner:
        cfg = copy.deepcopy(self._cfg)
        cfg.load_from = None
        cfg.experiment_name = f'{cfg.experiment_name}_trained'
        if cfg.get('visualizer') is not None:
            cfg.visualizer.name = cfg.experiment_name
        with oserror_with_folder(cfg.work_dir):
            runner = _build_runner(cfg)
        model = _unwrapped(runner.model)
        model.load_state_dict(load_tensors(self._checkpoint)['state_dict'])
        return runner

    @cached_property
    def _adapter(self) -> ModelAdapter:
        return build_model_adapter(self._runner.model, self._runner.cfg)

    def evaluate(self) -> Evaluation:
        """Evaluate on the test set of the config, or on its validation set if it has no test set.

        Returns:
            The metrics; none if the config has neither set.
        """
        runner = self._runner
        with torch.no_grad(), oserror_with_folder(self._cfg.work_dir):
            if self._cfg.get('test_dataloader') is not None:
                given = runner.test()
                evaluator = runner.test_loop.evaluator
            elif self._cfg.get('val_dataloader') is not None:
                given = runner.val()
                evaluator = runner.val_loop.evaluator
            else:
                return Evaluation({})
            metrics, without_detection = complete_metrics(runner.cfg, evaluator, given)
        return Evaluation(metrics, without_detection)

    def adapter(self) -> ModelAdapter:
        """The trained model, as influence and samplers need it."""
        return self._adapter

    def release(self) -> None:
        """Free the Runner and its memory."""
        self.__dict__.pop('_adapter', None)
        runner = self.__dict__.pop('_runner', None)
        if runner is not None:
            close_global_state(runner)
        del runner
        free_memory()


def _unwrapped(model: Any) -> nn.Module:
    inner: nn.Module = model.module if is_model_wrapper(model) else model
    return inner


def _require_finite(state_dict: dict[str, torch.Tensor]) -> None:
    for name, tensor in state_dict.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise FloatingPointError(
                f'Training left weights that are not finite, first in {name}. '
                'Lower optim_wrapper.optimizer.lr or set optim_wrapper.clip_grad.'
            )


def _build_runner(cfg: Config) -> Runner:
    """A Runner that does not repeat environment and config in the log.

    The config lies in its folder.
    """
    disabled_before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        runner = Runner.from_cfg(cfg)
        runner.register_hook(CollectDirHook())
        return runner
    finally:
        logging.disable(disabled_before)
        logger = MMLogger.get_current_instance()
        # It forgets what was disabled when its level is set.
        logger.setLevel(logger.level)


def _resumable(cfg: Config) -> Config:
    """A config whose training can be interrupted, and that continues if it was."""
    cfg = copy.deepcopy(cfg)
    keep_newest_alone(cfg)
    log = MMLogger.get_current_instance()
    cfg.train_dataloader = seeded_loader(cfg.train_dataloader, cfg.randomness.seed)
    hooks = list(cfg.get('custom_hooks') or [])
    types = [hook.get('type') for hook in hooks if isinstance(hook, dict)]
    if 'mmal.MidTrainingCheckpointHook' not in types:
        cfg.custom_hooks = [*hooks, dict(type='mmal.MidTrainingCheckpointHook')]
    point = run_on_rank_zero(lambda: last_point(cfg.work_dir, log))
    if point is not None:
        cfg.resume = True
        cfg.load_from = str(point)
        log.info(f'The training goes on from {point}.')
    return cfg


def close_global_state(runner: Runner) -> None:
    """Empty what mmengine keeps by name as long as the process lives: log files, histories of
    scalars, a figure.

    Args:
        runner: A Runner that is no longer needed.
    """
    for handler in list(runner.logger.handlers):
        if isinstance(handler, logging.FileHandler):
            runner.logger.removeHandler(handler)
            handler.close()
    runner.message_hub.log_scalars.clear()
    runner.message_hub.runtime_info.clear()
    for drawing in ('fig_save', 'fig_save_canvas', 'ax_save'):
        setattr(runner.visualizer, drawing, None)


def retire_model(runner: Runner) -> None:
    """Bring a Runner's model to the CPU, out of its wrapper.

    DistributedDataParallel would keep buffers for gradients on the GPU, as large as the model.

    Args:
        runner: A Runner whose model is not trained.
    """
    runner.model = _unwrapped(runner.model).cpu()
    free_memory()


def free_memory() -> None:
    """Collect garbage.

    A Runner is a cycle: without this its memory stays through the phases to come.
    """
    gc.collect()
    torch.cuda.empty_cache()
