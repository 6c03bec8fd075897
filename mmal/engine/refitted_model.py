"""The model of a round that selects with a last layer refitted on frozen, pretrained features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmal.adapters.base import ModelAdapter
from mmal.adapters.classification.targets import item_targets
from mmal.adapters.frozen_head.logistic_regression import LogisticRegression, fit_layer
from mmal.adapters.frozen_head.model import FrozenHeadAdapter
from mmal.adapters.frozen_head.projection import Projection
from mmal.adapters.loading import batches, items_or_raise
from mmal.errors import InputError
from mmal.samplers.features import check_layers
from mmal.utils.progress import track

from .context import Evaluation, RoundModel, RunContext
from .refit_head import RefitHead
from .stest import open_reference_set

PARTS_OF_THE_LABELED = ('initial', 'labeled')
"""Reference sets that the layer is fitted to, so that their loss tells nothing of its strength."""


@dataclass(frozen=True)
class Loader:
    """How images are loaded.

    Attributes:
        batch_size: Number of images that go through the model at once.
        num_workers: Number of processes that load images.
    """

    batch_size: int
    num_workers: int


class RefittedModel:
    """A round's model that is trained and evaluated as it is, and selects with a refitted layer.

    The layer is fitted on the labeled images, to features of the model as it was before any
    training. A network that was fine-tuned has features that set its own training images apart, so
    that a layer on them knows nothing of what it does not know.

    It is a :class:`~mmal.engine.context.RoundModel`.

    Args:
        model: The model of the round.
        head: How the last layer is refitted.
        frozen: Builds the model side of the pretrained model.
        labeled: Opens the dataset of the labeled images, with their annotations.
        reference: Opens that of the reference set; None if the run has none.
        classes: Names of the classes.
        several_labels: Whether an image may have several classes.
        loader: How images are loaded.
        log: Receives the progress, and what was fitted.
    """

    def __init__(
        self,
        model: RoundModel,
        head: RefitHead,
        frozen: Callable[[], ModelAdapter],
        labeled: Callable[[], Any],
        reference: Callable[[], Any] | None,
        classes: Sequence[str],
        several_labels: bool,
        loader: Loader,
        log: Logger,
    ) -> None:
        self._model = model
        self._head = head
        self._frozen = frozen
        self._labeled = labeled
        self._reference = reference
        self._n_classes = len(classes)
        self._several = several_labels
        self._loader = loader
        self._log = log
        self._adapter: FrozenHeadAdapter | None = None

    @property
    def seed(self) -> int:
        """Seed of the model's training."""
        return self._model.seed

    def train(self, checkpoint: Path) -> None:
        """Train the model; see :meth:`RoundModel.train`.

        Args:
            checkpoint: Path of the checkpoint.
        """
        self._model.train(checkpoint)

    def evaluate(self) -> Evaluation:
        """Evaluate the trained model; see :meth:`RoundModel.evaluate`."""
        return self._model.evaluate()

    def release(self) -> None:
        """Free the memory of both models."""
        self._adapter = None
        self._model.release()

    def adapter(self) -> FrozenHeadAdapter:
        """The refitted layer, as influence and samplers need it. It is fitted once.

        Every process fits it for itself, to the same images in the same order.
        """
        if self._adapter is None:
            self._adapter = self._fit()
        return self._adapter

    def _fit(self) -> FrozenHeadAdapter:
        frozen = self._frozen()
        layers = list(self._head.layers)

        def raw(items: Sequence[Any]) -> Tensor:
            # The layer is small, and stays on the CPU with what it sees.
            return frozen.features(items, layers).float().cpu()

        def targets_of(items: Sequence[Any]) -> Tensor:
            return item_targets(items, self._n_classes)

        features, targets = self._read(self._labeled(), 'labeled set', raw, targets_of)
        everything = features
        reference: tuple[Tensor, Tensor] | None = None
        if self._reference is not None:
            reference = self._read(self._reference(), 'reference set', raw, targets_of)
            everything = torch.cat([features, reference[0]])
        project = Projection.of(everything, self._head.components)
        if reference is not None:
            reference = project(reference[0]), reference[1]
        layer = self._fit_layer(project(features), targets, reference)
        self._log.info(
            f'Selecting with a last layer refitted on frozen features: {len(features)} labeled '
            f'images, {layer.weight.shape[1]} features, l2 {layer.l2:.3g}, temperature '
            f'{layer.temperature:.2f}.'
        )
        return FrozenHeadAdapter(layer, lambda items: project(raw(items)), targets_of)

    def _fit_layer(
        self, features: Tensor, targets: Tensor, reference: tuple[Tensor, Tensor] | None
    ) -> LogisticRegression:
        arrays = None
        if reference is not None:
            arrays = reference[0].double().numpy(), reference[1].double().numpy()
        return fit_layer(
            features.double().numpy(),
            targets.double().numpy(),
            arrays,
            self._several,
            self._head.weight_decay,
            self.seed,
        )

    def _read(
        self,
        dataset: Any,
        name: str,
        embed: Callable[[Sequence[Any]], Tensor],
        targets_of: Callable[[Sequence[Any]], Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Features and classes of a whole set."""
        if not len(dataset):
            raise InputError(f"train_cfg.head='refit': the {name} is empty: it has no image.")
        size = self._loader.batch_size
        n_batches = -(-len(dataset) // size)
        stream = batches(dataset, range(len(dataset)), size, self._loader.num_workers)
        features = []
        targets = []
        for batch in track(stream, n_batches, f'features of the {name}', self._log):
            items = items_or_raise(batch, name)
            features.append(embed(items))
            targets.append(targets_of(items))
        return torch.cat(features), torch.cat(targets)


def selecting_model(run: RunContext, model: RoundModel, labeled_file: Path) -> RoundModel:
    """The model of a round as the run selects with it.

    Args:
        run: The run.
        model: The model that is trained.
        labeled_file: What it is trained on.

    Returns:
        The same model, or one whose last layer is refitted if ``train_cfg.head`` asks for it.
    """
    head = run.settings.head
    if head is None:
        return model
    return RefittedModel(
        model,
        head,
        frozen=run.models.pretrained_adapter,
        labeled=lambda: run.data.labeled_dataset(str(labeled_file)),
        reference=_reference_opener(run, labeled_file),
        classes=run.data.classes,
        several_labels=run.data.several_labels,
        loader=Loader(run.loader_setting('batch_size', 1), run.loader_setting('num_workers', 0)),
        log=run.log,
    )


def _reference_opener(run: RunContext, labeled_file: Path) -> Callable[[], Any] | None:
    """What opens the reference set, if the run has one that the layer is not fitted to."""
    if run.stest is None or run.stest.reference in PARTS_OF_THE_LABELED:
        return None
    reference = run.stest.reference
    return lambda: open_reference_set(reference, run.data, labeled_file, run.paths)


def check_head(run: RunContext) -> None:
    """Refuse ``train_cfg.head`` where no last layer can be refitted.

    Args:
        run: The run.

    Raises:
        InputError: If the config is of a detector, a name in ``layers`` is not that of a module, or
            StestHook names parameters of the trained model.
    """
    head = run.settings.head
    if head is None:
        return
    if run.data.has_boxes:
        raise InputError(
            "train_cfg.head='refit' is for classifiers, and this config is of a detector. Remove "
            'it: the trained detector selects.'
        )
    check_layers(head.layers, run.models.untrained_model())
    if run.stest is not None and run.stest.params:
        raise InputError(
            "train_cfg.head='refit': influence is that of the refitted layer. Remove "
            f'StestHook.params = {run.stest.params}, or train_cfg.head.'
        )
