"""Fisher selection (BAIT): label what would shrink the uncertainty about the target most."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mmal.adapters.base import DataAdapter, FittedHead, ImageId
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.errors import InputError
from mmal.pool.order import first_shuffled, in_order, shuffled
from mmal.registry import SAMPLERS

from .algorithms.fisher import Candidates, Posterior, fisher_greedy
from .base import BaseSampler, ImageIds, Query, Scores
from .features import check_layers, unscored
from .placement import device_with_room
from .predicted_features import (
    Finding,
    predict_features,
    reference_query,
    stack_findings,
    takes_several,
)

MAX_TARGETS = 2000
"""Images of the target at most; of a larger pool so many are drawn at random."""

DEFAULT_L2 = 0.1
"""Strength of the prior in units of the number of features, where no layer was fitted with one.

Layers that are fitted on scaled features of a pretrained backbone choose 0.03 to 0.3.
"""

TARGETS = ('pool', 'reference', 'both')


class FisherBatch:
    r"""Composes a batch of images by the expected fall of the target's loss.

    With x the features of an image, one column of which is 1, and q the probability of its most
    probable class, the last layer is taken for a binary model of "that class or another": the
    curvature of an image's loss is :math:`q(1-q) x x^T`, whatever its label. The precision of the
    parameters is :math:`\Lambda = \delta I + \sum_{i \in L} q_i(1-q_i) x_i x_i^T`. An image z is
    expected to lower the *mean* loss of the target by

    .. math:: \Delta(z) = \frac12 \frac{w_z\, u^T F u}{1 + w_z\, x_z^T u}, \quad
              u = \Lambda^{-1} x_z, \quad w_z = q_z(1-q_z), \quad
              F = \frac1T \sum_t w_t x_t x_t^T.

    The batch is composed greedily, each image given those before it, as in BAIT (Ash et al.,
    "Gone Fishing", NeurIPS 2021) with the binary likelihood of Huseljic et al., "Fast Fishing"
    (ECML 2024). A classifier of several labels has one such block a class, with the class's own
    probability, and :math:`\Delta` is their sum.

    Args:
        owner: Name of the sampler, for messages.
        target: Whose loss is to fall: 'pool', the labeled and unlabeled images; 'reference', the
            reference set of the run's StestHook; 'both', half of each.
        balance: Whether each class weighs the same in the target, by the model's own predictions:
            F is then the mean over classes of the means over their images.
        l2: :math:`\delta` in units of the number of features, which are scaled to a mean square of
            1. None: that of the head that was refitted, else 0.1.
        max_targets: Number of images of the target at most, at least 1.
        layers: Names of the modules whose outputs are the features. None: what goes into the last
            layers.
        batch_size: Number of images per batch. None: that of ``val_dataloader``.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        owner: str,
        target: str,
        balance: bool,
        l2: float | None,
        max_targets: int,
        layers: list[str] | None,
        batch_size: int | None,
    ) -> None:
        if target not in TARGETS:
            raise ValueError(
                f"{owner}: expected target 'pool', 'reference' or 'both', got {target!r}."
            )
        if l2 is not None and not l2 > 0:
            raise ValueError(f'{owner}: expected l2 above 0, got {l2}.')
        if max_targets < 1:
            raise ValueError(f'{owner}: expected max_targets of 1 or more, got {max_targets}.')
        self._owner = owner
        self._target = target
        self._balance = balance
        self._l2 = l2
        self._max_targets = max_targets
        self._layers = layers
        self._batch_size = batch_size

    def check(self, data: DataAdapter, model: nn.Module) -> None:
        """Refuse a detector, and layers that the model does not have.

        Args:
            data: Data side of the run.
            model: The model as built from the config, not wrapped.

        Raises:
            InputError: If it is one.
        """
        if data.has_boxes:
            raise InputError(
                f'{self._owner}: Fisher selection is for classifiers, and this config is of a '
                'detector. Take mmal.InfluenceSampler, mmal.PPALSampler or mmal.CoresetSampler.'
            )
        check_layers(self._layers, model)

    def choose(self, query: Query, candidates: ImageIds) -> Scores:
        """Compose a batch. Every process calls it.

        Args:
            query: The query whose model, images, labeled images and budget are used.
            candidates: Ids of the unlabeled images to choose from; those of rank 0 count.

        Returns:
            Minus the expected fall of the target's mean loss of each candidate: that of a chosen
            one when it was chosen, that of the others after the last. The chosen images are the
            order. Candidates whose features or predictions are not finite have NaN.
        """
        pool_targets: ImageIds = []
        if self._target != 'reference':
            pool_targets = first_shuffled(
                query.labeled + query.ids,
                query.seed,
                f'fisher targets/{query.round}',
                self._max_targets,
            )
        wanted = list(dict.fromkeys([*query.trained_on, *candidates, *pool_targets]))
        findings, unreadable = predict_features(query, wanted, self._layers, self._batch_size)
        reference: dict[ImageId, Finding] = {}
        if self._target != 'pool':
            beside = reference_query(query, self._max_targets)
            reference, _ = predict_features(beside, beside.ids, self._layers, self._batch_size)
            query.pass_count = beside.pass_count
        scores = unscored(query, set(candidates).intersection(findings), unreadable)
        # Rank 0 alone has findings.
        run_on_rank_zero(
            lambda: self._compose(query, candidates, pool_targets, findings, reference, scores)
        )
        return scores

    def _compose(
        self,
        query: Query,
        candidates: ImageIds,
        pool_targets: ImageIds,
        findings: dict[ImageId, Finding],
        reference: dict[ImageId, Finding],
        scores: Scores,
    ) -> None:
        """Fill in the scores and the order."""
        everything = stack_findings(findings, list(findings))
        target_sets = []
        if pool_targets:
            target_sets.append(stack_findings(findings, pool_targets))
        if reference:
            target_sets.append(stack_findings(reference, list(reference)))
        adapter = query.adapter()
        mixed = shuffled(candidates, query.seed, f'fisher/{query.round}')
        rows = everything.rows(mixed)
        if not rows:
            return
        scale = _Scale(everything.features, isinstance(adapter, FittedHead))
        labeled_rows = everything.rows(in_order(query.trained_on))
        several = takes_several(adapter)
        n_bytes = 2 * len(rows) * (everything.features.shape[1] + 1) * 4
        device = device_with_room(adapter.model, n_bytes)
        points = scale(everything.features).to(device)
        curvature = _curvature(everything.probabilities, several).to(device)
        target_points = []
        target_weights = []
        for part in target_sets:
            target_points.append(scale(part.features).to(device))
            weights = _curvature(part.probabilities, several)
            shares = self._shares(part.probabilities) / len(target_sets)
            target_weights.append((weights * shares[:, None]).to(device))
        posterior = Posterior(
            points[labeled_rows],
            curvature[labeled_rows],
            torch.cat(target_points),
            torch.cat(target_weights),
            self._prior(adapter, points.shape[1] - 1),
        )
        pool = Candidates(points[rows], curvature[rows], posterior)
        allowed = torch.ones(len(rows), dtype=torch.bool, device=device)
        chosen, gains = fisher_greedy(posterior, pool, query.budget, allowed)
        ids = [everything.ids[row] for row in rows]
        scores.value.update(zip(ids, (-gains).tolist(), strict=True))
        scores.order = [ids[place] for place in chosen]

    def _prior(self, adapter: Any, n_features: int) -> float:
        """Strength of the prior, in the unit of the scaled features."""
        if self._l2 is not None:
            return self._l2 * n_features
        if isinstance(adapter, FittedHead):
            return adapter.l2
        return DEFAULT_L2 * n_features

    def _shares(self, probabilities: Tensor) -> Tensor:
        """Weight of each image of a target, shape (T,); they add up to 1."""
        n_images = len(probabilities)
        if not self._balance:
            return torch.full((n_images,), 1 / n_images, dtype=torch.double)
        classes = probabilities.argmax(1)
        counts = torch.bincount(classes, minlength=probabilities.shape[1])
        n_present = int((counts > 0).sum())
        return 1 / (n_present * counts[classes].double())


class _Scale:
    """Makes points of features: centred, scaled to a mean square of 1, with a column of ones.

    Args:
        features: All features, shape (N, D), N at least 1.
        is_scaled: Whether they are scaled already, so that only the ones are added.
    """

    def __init__(self, features: Tensor, is_scaled: bool) -> None:
        self._mean = torch.zeros(features.shape[1], dtype=torch.double)
        self._size = 1.0
        if not is_scaled:
            self._mean = features.double().mean(0)
            self._size = float((features - self._mean).square().mean()) ** 0.5 or 1.0

    def __call__(self, features: Tensor) -> Tensor:
        """Make points of shape (N, D + 1)."""
        scaled = (features - self._mean.to(features)) / self._size
        return torch.cat([scaled, scaled.new_ones(len(scaled), 1)], 1)


def _curvature(probabilities: Tensor, several: bool) -> Tensor:
    """Curvature p(1 - p): of the most probable class, shape (N, 1), or of each, shape (N, C)."""
    p = probabilities.double()
    if not several:
        p = p.amax(1, keepdim=True)
    return p * (1 - p)


@SAMPLERS.register_module()
class FisherSampler(BaseSampler):
    """Label first what would shrink the uncertainty about the target most (BAIT).

    See :class:`FisherBatch` for the formula. No label of a candidate is guessed: the score is what
    a label would bring whatever it is, and images that say the same bring it once. It works best on
    features of a pretrained backbone that stay as they are, with a last layer that was refitted to
    convergence (``train_cfg.head='refit'``). Ties are broken by the seed.

    Args:
        target: Whose loss is to fall: 'pool', 'reference' or 'both'; see :class:`FisherBatch`.
            Defaults to 'pool', which needs no reference set.
        balance: Whether each class weighs the same in the target, by the model's own predictions.
            Defaults to False.
        l2: Strength of the prior in units of the number of features. Defaults to None: that of the
            head that was refitted, else 0.1.
        max_targets: Number of images of the target at most; of a larger pool so many are drawn at
            random. Defaults to 2000.
        layers: Names of modules whose outputs are the features. Defaults to None: what goes into
            the last layers.
        batch_size: Number of images per batch. Defaults to None: that of ``val_dataloader``.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        target: str = 'pool',
        balance: bool = False,
        l2: float | None = None,
        max_targets: int = MAX_TARGETS,
        layers: list[str] | None = None,
        batch_size: int | None = None,
    ) -> None:
        self._batch = FisherBatch(
            'FisherSampler', target, balance, l2, max_targets, layers, batch_size
        )

    def check(self, data: DataAdapter, images: int, model: nn.Module) -> None:
        """Refuse a detector, and layers that the model does not have.

        Args:
            data: Data side of the run.
            images: Smallest number of images that a query will take.
            model: The model as built from the config, not wrapped.

        Raises:
            InputError: If it is one.
        """
        self._batch.check(data, model)

    def score(self, query: Query) -> Scores:
        """Choose images greedily. Those whose features are not finite rank last.

        Args:
            query: The images to score, the labeled ones, and the budget.

        Returns:
            Minus the expected fall of the target's mean loss. The chosen images are the order.
        """
        scores = self._batch.choose(query, query.ids)
        return scores.record_nonfinite(query.logger)
