"""Uncertainty of a model's own predictions: entropy, margin, least confidence."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mmal.registry import SAMPLERS

from .base import Query, Scores
from .pool_pass import run_over_pool

AGGREGATE = dict(sum=torch.sum, mean=torch.mean, max=torch.amax)


class UncertaintySampler:
    """Label first what the model is least sure of. The score is minus the uncertainty.

    A classifier of one label has one distribution an image, over its classes. A sigmoid classifier has one a class, and
    a detector one a predicted box, each over two outcomes: the class is there, or not. (What a detector returns after
    NMS is one score a box.) An image without a prediction has uncertainty 0.

    Args:
        measure: Uncertainty of distributions, shape (n, outcomes), as (n,).
        aggregate: How the uncertainties of several boxes or classes become that of the image: 'sum', 'mean' or 'max'.
            Defaults to 'sum'.
        score_thr: Detection: predictions at least this confident count, after the detector's own ``test_cfg``.
            Defaults to 0.05.
        batch_size: Images to a batch. Defaults to None: that of ``val_dataloader``.

    Raises:
        ValueError: If an argument is out of range.
    """

    needs_s_test = False
    solver = None
    column = 'score'

    def __init__(
        self,
        measure: Callable[[Tensor], Tensor],
        aggregate: str = 'sum',
        score_thr: float = 0.05,
        batch_size: int | None = None,
    ) -> None:
        if aggregate not in AGGREGATE:
            raise ValueError(
                f"{type(self).__name__}: expected aggregate 'sum', 'mean' or 'max', got {aggregate!r}."
            )
        if not 0 <= score_thr <= 1:
            raise ValueError(
                f'{type(self).__name__}: expected 0 <= score_thr <= 1, got {score_thr}.'
            )
        self.measure, self.aggregate, self.score_thr, self.batch_size = (
            measure,
            aggregate,
            score_thr,
            batch_size,
        )

    def score(self, query: Query) -> Scores:
        """Minus the aggregated uncertainty of each image."""
        task = query.adapter()

        def visit(keys: list, items: list) -> list:
            return [(self._image(p), len(p)) for p in task.probabilities(items, self.score_thr)]

        found, unreadable = run_over_pool(query, visit, batch_size=self.batch_size)
        return Scores(
            {i: value for i, (value, _) in found.items()},
            pseudo_boxes={i: n for i, (_, n) in found.items()},
            unreadable=unreadable,
        ).record_nonfinite(query.logger)

    def _image(self, p: Tensor) -> float:
        return -float(AGGREGATE[self.aggregate](self.measure(p.double()))) if len(p) else 0.0


def entropy(p: Tensor) -> Tensor:
    """In nats: 0 if one outcome is certain, log(outcomes) if all are alike."""
    return torch.special.entr(p).sum(1)


def small_margin(p: Tensor) -> Tensor:
    """One minus the difference of the two most probable outcomes."""
    top = p.topk(2, 1).values
    return 1 - (top[:, 0] - top[:, 1])


def least_confidence(p: Tensor) -> Tensor:
    """One minus the probability of the most probable outcome."""
    return 1 - p.amax(1)


@SAMPLERS.register_module()
class EntropySampler(UncertaintySampler):
    """Uncertainty by entropy. Its arguments are those of :class:`UncertaintySampler` but the measure."""

    def __init__(
        self, aggregate: str = 'sum', score_thr: float = 0.05, batch_size: int | None = None
    ) -> None:
        super().__init__(entropy, aggregate, score_thr, batch_size)


@SAMPLERS.register_module()
class MarginSampler(UncertaintySampler):
    """Uncertainty by a small margin. Its arguments are those of :class:`UncertaintySampler` but the measure."""

    def __init__(
        self, aggregate: str = 'sum', score_thr: float = 0.05, batch_size: int | None = None
    ) -> None:
        super().__init__(small_margin, aggregate, score_thr, batch_size)


@SAMPLERS.register_module()
class LeastConfidenceSampler(UncertaintySampler):
    """Uncertainty by low confidence. Its arguments are those of :class:`UncertaintySampler` but the measure."""

    def __init__(
        self, aggregate: str = 'sum', score_thr: float = 0.05, batch_size: int | None = None
    ) -> None:
        super().__init__(least_confidence, aggregate, score_thr, batch_size)
