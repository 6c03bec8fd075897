from __future__ import annotations

import torch

from mmal.models.learning_loss import LossPrediction
from mmal.pool.order import first_shuffled
from mmal.registry import SAMPLERS

from .base import Query, Scores
from .pool_pass import run_over_pool


@SAMPLERS.register_module()
class LearningLossSampler:
    """Learning loss (Yoo & Kweon, CVPR 2019): label first what a loss-prediction module thinks costs most.

    The model must carry the module: ``model = dict(type='mmal.LearningLoss', model=..., feature_maps=[...])``, see
    :func:`~mmal.models.learning_loss.LearningLoss`. The score is minus the predicted loss. Only a random subset is
    looked at, as in the paper, so that a query is not full of neighbours; images outside of it are not chosen.

    Args:
        subset: Size of the random subset; at least the budget is taken. Defaults to 10000.
        batch_size: Images to a batch. Defaults to None: that of ``val_dataloader``.

    Raises:
        ValueError: If an argument is out of range.
    """

    needs_s_test = False
    solver = None
    column = 'score'

    def __init__(self, subset: int = 10000, batch_size: int | None = None) -> None:
        if subset < 1:
            raise ValueError(f'LearningLossSampler: expected subset >= 1, got {subset}.')
        self.subset, self.batch_size = subset, batch_size

    def score(self, query: Query) -> Scores:
        """Minus the predicted loss of the images of the subset."""
        task = query.adapter()
        module = getattr(task.model, 'loss_prediction', None)
        if not isinstance(module, LossPrediction):
            raise ValueError(
                'LearningLossSampler needs a model with a loss-prediction module: model = dict(type='
                "'mmal.LearningLoss', model=..., feature_maps=[...])."
            )
        chosen = first_shuffled(
            query.ids, query.seed, f'subset/{query.round}', max(self.subset, query.budget)
        )

        def visit(keys: list, items: list) -> list:
            found = task.features(items, module.feature_maps)
            with torch.no_grad():
                return (-module(found)).tolist()

        value, unreadable = run_over_pool(query, visit, chosen, batch_size=self.batch_size)
        return Scores(value, unreadable=unreadable).record_nonfinite(query.logger)
