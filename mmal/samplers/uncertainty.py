"""Uncertainty of a model's own predictions: entropy, margin, least confidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from mmal.adapters.base import DataAdapter
from mmal.registry import SAMPLERS

from .base import BaseSampler, ImageIds, Query, ScoreAndCount, Scores
from .near_copies import MAX_COSINE, NearCopyRule
from .pool_pass import run_over_pool

Reduction: TypeAlias = Callable[[Tensor], Tensor]
"""Makes a tensor of fewer dimensions of a tensor."""

AGGREGATE: dict[str, Reduction] = dict(sum=torch.sum, mean=torch.mean, max=torch.amax)
"""How the uncertainties of an image's boxes or classes, shape (n,), become one number."""


class UncertaintySampler(BaseSampler):
    """Label first what the model is least sure of. The score is minus the uncertainty.

    A classifier of one label has one distribution per image, over its classes. A sigmoid classifier
    has one per class, and a detector one per predicted box, each over two outcomes: the class is
    there, or not. (What a detector returns after NMS is one score per box.) An image without a
    prediction has uncertainty 0.

    Args:
        measure: Uncertainty of distributions, from shape (n, outcomes) to shape (n,).
        aggregate: How the uncertainties of several boxes or classes become that of the image:
            'sum', 'mean' or 'max'. Defaults to 'sum'.
        score_thr: For detection, smallest confidence of a prediction that counts, after the
            detector's own ``test_cfg``. Defaults to 0.05.
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
        measure: Reduction,
        aggregate: str = 'sum',
        score_thr: float = 0.05,
        max_cosine: float | None = MAX_COSINE,
        layers: list[str] | None = None,
        batch_size: int | None = None,
    ) -> None:
        name = type(self).__name__
        if aggregate not in AGGREGATE:
            raise ValueError(
                f"{name}: expected aggregate 'sum', 'mean' or 'max', got {aggregate!r}."
            )
        if not 0 <= score_thr <= 1:
            raise ValueError(f'{name}: expected 0 <= score_thr <= 1, got {score_thr}.')
        self.measure = measure
        self.aggregate = aggregate
        self.score_thr = score_thr
        self.near_copies = NearCopyRule(name, max_cosine, layers, batch_size)
        self.batch_size = batch_size

    def check(self, data: DataAdapter, images: int, model: nn.Module) -> None:
        """Refuse layers that the model does not have.

        Args:
            data: Data side of the run.
            images: Smallest number of images that a query will take.
            model: The model as built from the config, not wrapped.

        Raises:
            InputError: If a name in ``layers`` is needed and is not that of a module.
        """
        self.near_copies.check(model)

    def score(self, query: Query) -> Scores:
        """Compute the aggregated uncertainty of each image.

        Args:
            query: The images to score.

        Returns:
            Minus the uncertainties.
        """
        adapter = query.adapter()

        def predict_batch(ids: ImageIds, items: list[Any]) -> list[ScoreAndCount]:
            findings = []
            for p in adapter.probabilities(items, self.score_thr):
                findings.append((self._score_image(p), len(p)))
            return findings

        findings, unreadable = run_over_pool(query, predict_batch, batch_size=self.batch_size)
        scores = Scores.from_findings(findings, unreadable).record_nonfinite(query.logger)
        return self.near_copies.apply(query, scores)

    def _score_image(self, p: Tensor) -> float:
        """Score of an image from its distributions, shape (n, outcomes)."""
        if not len(p):
            return 0.0
        uncertainties = self.measure(p.double())
        aggregate = AGGREGATE[self.aggregate]
        return -float(aggregate(uncertainties))


def entropy(p: Tensor) -> Tensor:
    """Compute the entropy in nats: 0 if one outcome is certain, log(outcomes) if all are alike.

    Args:
        p: Distributions, shape (n, outcomes).

    Returns:
        Shape (n,).
    """
    in_nats: Tensor = torch.special.entr(p).sum(1)
    return in_nats


def small_margin(p: Tensor) -> Tensor:
    """Compute one minus the difference of the two largest probabilities.

    Args:
        p: Distributions, shape (n, outcomes).

    Returns:
        Shape (n,), 0 to 1.
    """
    first, second = p.topk(2, 1).values.unbind(1)
    return 1 - (first - second)


def least_confidence(p: Tensor) -> Tensor:
    """Compute one minus the largest probability.

    Args:
        p: Distributions, shape (n, outcomes).

    Returns:
        Shape (n,), 0 to 1.
    """
    return 1 - p.amax(1)


@SAMPLERS.register_module()
class EntropySampler(UncertaintySampler):
    """Uncertainty by entropy.

    Its arguments are those of :class:`UncertaintySampler` except the measure.
    """

    def __init__(
        self,
        aggregate: str = 'sum',
        score_thr: float = 0.05,
        max_cosine: float | None = MAX_COSINE,
        layers: list[str] | None = None,
        batch_size: int | None = None,
    ) -> None:
        super().__init__(entropy, aggregate, score_thr, max_cosine, layers, batch_size)


@SAMPLERS.register_module()
class MarginSampler(UncertaintySampler):
    """Uncertainty by a small margin.

    Its arguments are those of :class:`UncertaintySampler` except the measure.
    """

    def __init__(
        self,
        aggregate: str = 'sum',
        score_thr: float = 0.05,
        max_cosine: float | None = MAX_COSINE,
        layers: list[str] | None = None,
        batch_size: int | None = None,
    ) -> None:
        super().__init__(small_margin, aggregate, score_thr, max_cosine, layers, batch_size)


@SAMPLERS.register_module()
class LeastConfidenceSampler(UncertaintySampler):
    """Uncertainty by low confidence.

    Its arguments are those of :class:`UncertaintySampler` except the measure.
    """

    def __init__(
        self,
        aggregate: str = 'sum',
        score_thr: float = 0.05,
        max_cosine: float | None = MAX_COSINE,
        layers: list[str] | None = None,
        batch_size: int | None = None,
    ) -> None:
        super().__init__(least_confidence, aggregate, score_thr, max_cosine, layers, batch_size)
