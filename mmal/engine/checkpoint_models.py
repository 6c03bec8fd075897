"""The model of a checkpoint that somebody else trained, as phases need it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import MODELS
from torch import nn

from mmal.adapters import build_model_adapter
from mmal.adapters.base import ModelAdapter
from mmal.run.layout import RoundPaths

from .context import Evaluation
from .given_checkpoint import GivenCheckpoint, load_given
from .round_runner import free_memory


class CheckpointModel:
    """A model with given weights; a :class:`~mmal.engine.context.RoundModel` that is never trained.

    It is built when it is first needed, without a Runner and not wrapped: every process has its
    own.

    Args:
        cfg: The whole config.
        checkpoint: Its weights.
        classes: Names of the classes, in the order of the model's outputs.
        seed: Seed of what is drawn with it.

    Attributes:
        seed: Seed of what is drawn with it.
    """

    def __init__(
        self, cfg: Config, checkpoint: GivenCheckpoint, classes: Sequence[str], seed: int
    ) -> None:
        self.seed = seed
        self._cfg = cfg
        self._checkpoint = checkpoint
        self._classes = classes

    def train(self, checkpoint: Path) -> None:
        """Refuse: the model is given.

        Args:
            checkpoint: Path that a trained model would be written to.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError(f'The model of {self._checkpoint.path} is given, and is not trained.')

    def evaluate(self) -> Evaluation:
        """Return no metric: a given model is taken as it is."""
        return Evaluation({})

    @cached_property
    def _adapter(self) -> ModelAdapter:
        model = build_model(self._cfg)
        load_given(model, self._checkpoint, self._classes)
        return build_model_adapter(model.to(get_device()).eval(), self._cfg)

    def adapter(self) -> ModelAdapter:
        """The model with its weights, as influence and samplers need it.

        Raises:
            InputError: If the checkpoint is of another architecture, or of other classes.
        """
        return self._adapter

    def release(self) -> None:
        """Free the memory of the model."""
        self.__dict__.pop('_adapter', None)
        free_memory()


class CheckpointModels:
    """Gives the one model of a checkpoint; see :class:`~mmal.engine.context.Models`.

    Args:
        cfg: The whole config.
        model: The model.
    """

    def __init__(self, cfg: Config, model: CheckpointModel) -> None:
        self._cfg = cfg
        self._model = model

    def round_model(self, paths: RoundPaths, labeled_file: Path) -> CheckpointModel:
        """The given model, whatever is labeled.

        Args:
            paths: Files of the round; not used.
            labeled_file: What is labeled; not used.
        """
        return self._model

    def untrained_model(self) -> nn.Module:
        """The config's model without weights, to check settings with."""
        return build_model(self._cfg)

    def untrained_adapter(self) -> ModelAdapter:
        """The same as influence and samplers need it."""
        return build_model_adapter(self.untrained_model(), self._cfg)

    def pretrained_adapter(self) -> ModelAdapter:
        """The given model."""
        return self._model.adapter()

    def evaluation_dataset(self) -> None:
        """Nothing: a given model is not evaluated."""


def build_model(cfg: Config) -> nn.Module:
    """Build a config's model as the Runner does, without initial weights.

    Args:
        cfg: The whole config.
    """
    model_cfg = copy.deepcopy(cfg.model)
    if cfg.get('data_preprocessor') is not None:
        model_cfg.setdefault('data_preprocessor', cfg.data_preprocessor)
    model: nn.Module = MODELS.build(model_cfg)
    return model
