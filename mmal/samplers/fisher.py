"""Fisher selection (BAIT): label what would shrink the uncertainty about the target most."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mmal.adapters.base import DataAdapter, FittedHead, ImageId
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.errors import InputError
from mmal.pool.order import first_shuffled, in_order, shuffled
from mmal.registry import SAMPLERS

from .algorithms.fisher import Candidates, Posterior
from .algorithms.fisher_columns import ColumnCandidates, ColumnPosterior, softmax_factors
from .algorithms.fisher_greedy import fisher_greedy
from .base import BaseSampler, ImageIds, Query, Scores
from .features import check_layers, unscored
from .placement import device_with_room
from .predicted_features import (
    Finding,
    PredictedFeatures,
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

    With a ``rank`` of m or 'full' a softmax layer is taken as what it is: with
    :math:`b_a = \sqrt{p_a}(e_a - p)` the curvature of an image is
    :math:`\sum_a b_a b_a^T \otimes x x^T` over its m most probable classes, or over all, and
    :math:`\Delta` is the trace form of
    :class:`~mmal.samplers.algorithms.fisher_columns.ColumnCandidates`.

    Args:
        owner: Name of the sampler, for messages.
        rank: 'binary', a number of classes of at least 1, or 'full' for all classes. Classifiers of
            several labels have their blocks, which are exact, with any rank.
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
        rank: str | int,
        target: str,
        balance: bool,
        l2: float | None,
        max_targets: int,
        layers: list[str] | None,
        batch_size: int | None,
    ) -> None:
        is_number = isinstance(rank, int) and rank >= 1
        if rank not in ('binary', 'full') and not is_number:
            raise ValueError(
                f"{owner}: expected rank 'binary', 'full' or a number of classes of 1 or more, "
                f'got {rank!r}.'
            )
        if target not in TARGETS:
            raise ValueError(
                f"{owner}: expected target 'pool', 'reference' or 'both', got {target!r}."
            )
        if l2 is not None and not l2 > 0:
            raise ValueError(f'{owner}: expected l2 above 0, got {l2}.')
        if max_targets < 1:
            raise ValueError(f'{owner}: expected max_targets of 1 or more, got {max_targets}.')
        self._owner = owner
        self._rank = rank
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
        several = takes_several(adapter)
        device = device_with_room(adapter.model, self._n_bytes(everything, len(rows), several))

        def part_of(images: PredictedFeatures) -> _Part:
            return _Part(scale(images.features).to(device), images.probabilities.to(device))

        images = part_of(everything)
        target_parts = []
        shares = []
        for target_set in target_sets:
            target_parts.append(part_of(target_set))
            shares.append(self._shares(target_set.probabilities) / len(target_sets))
        chosen, gains = self._greedy(
            images.at(everything.rows(in_order(query.trained_on))),
            images.at(rows),
            _Part(*(torch.cat(tensors) for tensors in zip(*target_parts, strict=True))),
            torch.cat(shares).to(device),
            self._prior(adapter, images.points.shape[1] - 1),
            several,
            query.budget,
        )
        ids = [everything.ids[row] for row in rows]
        scores.value.update(zip(ids, (-gains).tolist(), strict=True))
        scores.order = [ids[place] for place in chosen]

    def _n_bytes(self, images: PredictedFeatures, n_candidates: int, several: bool) -> int:
        """Memory that the choice takes on its device."""
        n_numbers = images.features.shape[1] + 1
        n_classes = images.probabilities.shape[1]
        if self._rank != 'binary' and not several:
            n_numbers += n_classes * self._n_columns(n_classes)
        return 2 * n_candidates * n_numbers * 4

    def _n_columns(self, n_classes: int) -> int:
        """Number of columns of an image, where the form is not the binary one."""
        if isinstance(self._rank, int):
            return min(self._rank, n_classes)
        return n_classes

    def _greedy(
        self,
        labeled: _Part,
        candidates: _Part,
        target: _Part,
        shares: Tensor,
        prior: float,
        several: bool,
        budget: int,
    ) -> tuple[list[int], Tensor]:
        """Choose candidates by the wanted form; their rows, and a gain for each candidate."""
        allowed = torch.ones(len(candidates.points), dtype=torch.bool, device=shares.device)
        if self._rank == 'binary' or several:
            posterior = Posterior(
                labeled.points,
                _curvature(labeled.probabilities, several),
                target.points,
                _curvature(target.probabilities, several) * shares[:, None],
                prior,
            )
            weights = _curvature(candidates.probabilities, several)
            pool = Candidates(candidates.points, weights, posterior)
            return fisher_greedy(posterior, pool, budget, allowed)
        n_columns = self._n_columns(candidates.probabilities.shape[1])
        in_columns = ColumnPosterior(
            labeled.points,
            softmax_factors(labeled.probabilities, n_columns),
            target.points,
            softmax_factors(target.probabilities, n_columns),
            shares,
            prior,
        )
        factors = softmax_factors(candidates.probabilities, n_columns)
        column_pool = ColumnCandidates(candidates.points, factors, in_columns)
        return fisher_greedy(in_columns, column_pool, budget, allowed)

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


class _Part(NamedTuple):
    """Some images: their points, shape (N, P), and probabilities of classes, shape (N, C)."""

    points: Tensor
    probabilities: Tensor

    def at(self, rows: list[int]) -> _Part:
        """Take some of the images."""
        return _Part(self.points[rows], self.probabilities[rows])


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
        rank: How much of a softmax layer's curvature is kept. 'binary': the most probable class
            against the others, one column an image. A number m: the m most probable classes;
            'full': all. Time and memory grow with the square of m, and the memory for the labeled
            images with the square of m times their number (1000 images, m = 10: 0.8 GB). It is for
            classifiers of one label; those of several have a block a class, which is exact.
            Defaults to 'binary'.
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
        rank: str | int = 'binary',
        target: str = 'pool',
        balance: bool = False,
        l2: float | None = None,
        max_targets: int = MAX_TARGETS,
        layers: list[str] | None = None,
        batch_size: int | None = None,
    ) -> None:
        self._batch = FisherBatch(
            'FisherSampler', rank, target, balance, l2, max_targets, layers, batch_size
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
