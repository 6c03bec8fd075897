"""Learning loss: the loss that a module of the model predicts."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from mmal.adapters.base import DataAdapter
from mmal.errors import InputError
from mmal.models.learning_loss import LossPrediction
from mmal.pool.order import first_shuffled
from mmal.registry import SAMPLERS

from .base import BaseSampler, ImageIds, Query, Scores
from .near_copies import MAX_COSINE, NearCopyRule
from .pool_pass import run_over_pool


@SAMPLERS.register_module()
class LearningLossSampler(BaseSampler):
    """Learning loss (Yoo & Kweon, CVPR 2019): label first where the predicted loss is largest.

    The model must carry the loss-prediction module: ``model = dict(type='mmal.LearningLoss',
    model=..., feature_maps=[...])``, see :func:`~mmal.models.learning_loss.LearningLoss`. The score
    is minus the predicted loss. Only a random subset is scored, as in the paper, so that a query is
    not full of neighbours. Images outside of it are not chosen.

    Args:
        subset: Size of the random subset; at least the budget is taken. Defaults to 10000.
        max_cosine: Largest cosine, -1 to 1, of the features of two images that are no near-copies.
            A near-copy of a labeled image, or of one that ranks above it, is ranked last, see
            :class:`~mmal.samplers.near_copies.NearCopyRule`. None keeps the plain ranking, and
            saves the features of the labeled images and of a few budgets of the best ones.
            Defaults to 0.9.
        layers: Names of the modules whose outputs are those features. Defaults to None: what goes
            into the last layers.
        batch_size: Number of images per batch. Defaults to None: that of ``val_dataloader``.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        subset: int = 10000,
        max_cosine: float | None = MAX_COSINE,
        layers: list[str] | None = None,
        batch_size: int | None = None,
    ) -> None:
        if subset < 1:
            raise ValueError(f'LearningLossSampler: expected subset >= 1, got {subset}.')
        self.subset = subset
        self.near_copies = NearCopyRule(type(self).__name__, max_cosine, layers, batch_size)
        self.batch_size = batch_size

    def check(self, data: DataAdapter, images: int, model: nn.Module) -> None:
        """Refuse a model without the loss-prediction module.

        Args:
            data: Data side of the run.
            images: Smallest number of images that a query will take.
            model: The model as built from the config, not wrapped.

        Raises:
            InputError: If the model has no such module, or a name in ``layers`` is needed and is
                not that of a module.
        """
        _loss_prediction(model)
        self.near_copies.check(model)

    def score(self, query: Query) -> Scores:
        """Predict the loss of the images of the subset.

        Args:
            query: The images to score, and the budget.

        Returns:
            Minus the predicted losses.

        Raises:
            InputError: If the model has no loss-prediction module.
        """
        adapter = query.adapter()
        module = _loss_prediction(adapter.model)
        size = max(self.subset, query.budget)
        purpose = f'subset/{query.round}'
        subset = first_shuffled(query.ids, query.seed, purpose, size)

        def predict_batch(ids: ImageIds, items: list[Any]) -> list[float]:
            features = adapter.features(items, module.feature_maps)
            with torch.no_grad():
                predicted_losses = module(features)
            scores: list[float] = (-predicted_losses).tolist()
            return scores

        values, unreadable = run_over_pool(query, predict_batch, subset, batch_size=self.batch_size)
        scores = Scores(values, unreadable=unreadable)
        return self.near_copies.apply(query, scores.record_nonfinite(query.logger))


def _loss_prediction(model: nn.Module) -> LossPrediction:
    """The loss-prediction module of a model; InputError if it has none."""
    module = getattr(model, 'loss_prediction', None)
    if not isinstance(module, LossPrediction):
        raise InputError(
            'LearningLossSampler needs a model with a loss-prediction module: model = dict(type='
            "'mmal.LearningLoss', model=..., feature_maps=[...])."
        )
    return module
