"""What the phases of a run work with: the run, a round, and the models of the rounds."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from logging import Logger
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mmal.pool.pool import Pool
from mmal.run.layout import RoundPaths, RunPaths
from mmal.run.overlap import PoolOverlap
from mmal.run.round_state import PhaseState
from mmal.run.unreadable import UnreadableList

from .given_labels import GivenLabels
from .settings import LoopSettings

if TYPE_CHECKING:
    from torch import nn

    from mmal.adapters.base import DataAdapter, ModelAdapter
    from mmal.oracles.base import Oracle
    from mmal.samplers.base import Sampler

    from .cold_start import ColdStart
    from .stest import StestSettings


@dataclass(frozen=True)
class Evaluation:
    """What the evaluation of a model gave.

    Attributes:
        metrics: Value by name; without those that were not measured.
        without_detection: Names of those that are 0 because nothing was detected.
    """

    metrics: dict[str, float]
    without_detection: list[str] = field(default_factory=list)


class RoundModel(Protocol):
    """The model of one round.

    It is trained in the first phase and loaded when a later phase first needs it.
    """

    @property
    def seed(self) -> int:
        """Seed of its training."""

    def train(self, checkpoint: Path) -> None:
        """Train it, or continue an interrupted training, and write a checkpoint.

        Every process calls it.

        Args:
            checkpoint: Path of the checkpoint.
        """

    def evaluate(self) -> Evaluation:
        """Evaluate on the evaluation set. There is no metric if the config has none.

        Every process calls it.
        """

    def adapter(self) -> ModelAdapter:
        """The trained model, as influence and samplers need it."""

    def release(self) -> None:
        """Free the memory of the model."""


class Models(Protocol):
    """Makes models. The implementation knows mmengine's Runner; nothing else of a round does."""

    def round_model(self, paths: RoundPaths, labeled_file: Path) -> RoundModel:
        """The model of a round.

        Args:
            paths: Files of the round.
            labeled_file: What the model is trained on.
        """

    def untrained_model(self) -> nn.Module:
        """The config's model before any training, not wrapped, to check settings with."""

    def untrained_adapter(self) -> ModelAdapter:
        """The same as influence and samplers need it."""

    def pretrained_adapter(self) -> ModelAdapter:
        """The config's model with its pretrained weights, or those of the given checkpoint, the
        same at every start.
        """

    def evaluation_dataset(self) -> Any | None:
        """The dataset that models are evaluated on, or None.

        Raises:
            FileNotFoundError: If a file it is made from does not exist.
        """


@dataclass(frozen=True)
class RunContext:
    """All that a phase may touch. There is no Runner and no loop in it.

    Attributes:
        settings: Numbers and switches of ``train_cfg``.
        paths: Files of the run.
        cfg: The whole config.
        data: Data side of the task: the pool, and its ground truth for a simulated oracle.
        sampler: Ranks the unlabeled images.
        oracle: Turns ids into annotations.
        models: Makes the models of the rounds.
        stest: How s_test is computed; None if the config has no StestHook.
        cold_start: How the initial set is chosen.
        unreadable: Images that cannot be read.
        log: Log of the run.
        given: Labels that existed before the run, its initial labeled set. Defaults to None: the
            initial set is chosen, and the oracle labels it.
        dropped: What was left out of the pool because it is in the evaluation set, too. Defaults to
            None: nothing.
    """

    settings: LoopSettings
    paths: RunPaths
    cfg: Any
    data: DataAdapter
    sampler: Sampler
    oracle: Oracle
    models: Models
    stest: StestSettings | None
    cold_start: ColdStart
    unreadable: UnreadableList
    log: Logger
    given: GivenLabels | None = None
    dropped: PoolOverlap | None = None

    @property
    def pool_ids(self) -> list[Hashable]:
        """Ids of all images of the pool."""
        return [image['id'] for image in self.data.images]

    def labeled_ids(self, labeled_file: Path) -> list[Hashable]:
        """Ids of the labeled images, those held out first.

        Args:
            labeled_file: What a round's model is trained on.
        """
        held_out, _ = self.data.read_labeled(self.paths.holdout)
        trained_on, _ = self.data.read_labeled(labeled_file)
        return [*held_out, *trained_on]

    def open_pool(self) -> tuple[Any, dict[Hashable, int]]:
        """The pool's dataset without annotations, and the row of each id in it."""
        dataset = self.data.pool_dataset(str(self.paths.pool))
        return dataset, self.data.row_index(dataset)

    def loader_setting(self, name: str, default: int) -> int:
        """A setting of the loader that models look at images with.

        Args:
            name: 'batch_size' or 'num_workers'.
            default: Its value where the config has none.
        """
        loader = self.cfg.get('val_dataloader') or self.cfg.train_dataloader
        value: int = loader.get(name, default)
        return value


@dataclass(frozen=True)
class Round:
    """One query and what leads to it, with what its phases share. It is dropped when it ends.

    Attributes:
        state: Which phases are finished, and where their artifacts are.
        labeled_file: What the round's model is trained on.
        pool: The labeled and unlabeled part of the pool.
        model: Model of the round.
        open_pool: Opens the pool's dataset once; see :meth:`RunContext.open_pool`.
        given: Phases that are not run because what they would make was given. Defaults to none.
        is_last: Whether no round comes after it, so that it ends with its evaluation. Defaults to
            False.
    """

    state: PhaseState
    labeled_file: Path
    pool: Pool
    model: RoundModel
    open_pool: Callable[[], tuple[Any, dict[Hashable, int]]]
    given: frozenset[str] = frozenset()
    is_last: bool = False

    @property
    def number(self) -> int:
        """Number of the round, from 0."""
        return self.state.number

    @property
    def title(self) -> str:
        """What it is called in messages, for instance 'round 3'."""
        return self.state.paths.title

    @property
    def complete(self) -> bool:
        """Whether all phases that the round has are finished."""
        return self.state.evaluated if self.is_last else self.state.closed


def is_given(run: RunContext, round_: Round) -> bool:
    """Whether the user gave the model of a round, so that none is trained.

    Args:
        run: The run.
        round_: The round.
    """
    return round_.number == 0 and run.settings.checkpoint is not None
