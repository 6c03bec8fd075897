"""ISAL: influence on the reference loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor, nn

from mmal.adapters.base import DataAdapter, DetectorAdapter, PseudoLabels
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.errors import InputError
from mmal.fileio.tensors import load_tensors
from mmal.influence.directional_derivative import derivatives_along
from mmal.influence.parameters import flatten, restrict_grad
from mmal.pool.budget import BudgetUnit
from mmal.registry import SAMPLERS
from mmal.run.layout import RoundPaths
from mmal.utils.nonfinite import check_nonfinite_share

from .base import BaseSampler, ImageIds, Query, ScoreAndCount, Scores
from .filter_check import check_filter
from .fisher import MAX_TARGETS, FisherBatch
from .near_copies import MAX_COSINE, NearCopyRule
from .pool_pass import PassResult, run_over_pool
from .predicted_features import reference_query

MIN_COST = 1e-9
"""Least cost that an influence is divided or multiplied by."""


@SAMPLERS.register_module()
class InfluenceSampler(BaseSampler):
    """ISAL: label first what would lower the reference loss most (paper, Algorithms 1 and 2).

    The score is the influence I(z) = -s_test . G_z, where G_z is the gradient of the loss of image
    z against the model's own confident predictions. *More negative is more helpful*. An image
    without a confident prediction is scored as background. An image whose influence is not finite
    is named and ranked last. s_test is read from ``s_test.pth`` of the round, which
    :class:`~mmal.engine.hooks.stest_hook.StestHook` wrote.

    Args:
        score_thr: For detection, smallest confidence of a prediction that becomes a pseudo-box,
            after the detector's own ``test_cfg`` (its score threshold and NMS). Defaults to 0.1,
            the first authors' value.
        top_k: For classification, K of the paper's equation 3: the gradients of the K most
            confident classes are weighted by their confidence. With K = all classes and
            cross-entropy every influence is zero. Detectors, whose boxes have one class each, are
            refused with K > 1. Defaults to 1.
        scale_by_boxes: For detection, whether the score is the influence times the number of
            pseudo-boxes (at least 1). An image's loss is a mean over its boxes, but the loss of a
            training batch is a mean over all of the batch's boxes, in which an image counts as much
            as it has boxes. It is meant for budgets in images, and chooses images with more boxes.
            Defaults to False: as in the paper.
        cost: What a score below 0, which is help, is divided by, and one above 0, which is harm,
            multiplied by: of two images that help alike, and of two that harm alike, the cheaper
            one comes first. 'box': the number of boxes that the image will cost, so that the score
            is the help per box to be drawn. 'second': the seconds that labeling it will take. Both
            are predicted (:class:`~mmal.pool.cost_model.CostModel`). Boxes are the pseudo-boxes, at
            least 1, until two labeled rounds allow a better prediction. Seconds need labels that
            came with their time. Defaults to None: nothing.
        max_cosine: Largest cosine, -1 to 1, of the features of two images that are no near-copies.
            A near-copy of a labeled image, or of one that ranks above it, is ranked last, see
            :class:`~mmal.samplers.near_copies.NearCopyRule`. None keeps the plain ranking, and
            saves the features of the labeled images and of a few budgets of the best ones.
            Defaults to 0.9.
        layers: Names of the modules whose outputs are those features. Defaults to None: what goes
            into the last layers.
        batch: How the images of a query are composed. None: those of the most negative influence,
            as in the paper. 'fisher': influence filters and Fisher selection composes. Of the
            ``filter`` times as many images of the most negative influence, those are taken whose
            labels together are expected to shrink the uncertainty about the target most, see
            :class:`~mmal.samplers.fisher.FisherBatch`. It is for classifiers. Defaults to None.
        filter: With ``batch='fisher'``, how many images pass the filter, in budgets; at least 1.
            Defaults to 4.
        check_filter: With ``batch='fisher'``, whether the filter is asked first whether it is right
            on the reference set, whose labels are known, and let go for the round if it is not, see
            :func:`~mmal.samplers.filter_check.check_filter`. Defaults to True.
        target: With ``batch='fisher'``, whose loss is to fall: 'pool', 'reference' or 'both'.
            Defaults to 'both'.
        batch_size: Number of images per batch. It changes influences by rounding errors only,
            except with assigners that amplify those (SimOTA). Defaults to None: that of
            ``val_dataloader``.
        max_nonfinite: Largest share of images whose influence may be not finite; more stop the run.
            Defaults to 0.1.

    Raises:
        ValueError: If an argument is out of range.
    """

    needs_s_test = True
    column = 'influence'

    def __init__(
        self,
        score_thr: float = 0.1,
        top_k: int = 1,
        scale_by_boxes: bool = False,
        cost: str | None = None,
        max_cosine: float | None = MAX_COSINE,
        layers: list[str] | None = None,
        batch: str | None = None,
        filter: float = 4.0,
        check_filter: bool = True,
        target: str = 'both',
        batch_size: int | None = None,
        max_nonfinite: float = 0.1,
    ) -> None:
        name = type(self).__name__
        if not 0 <= score_thr <= 1:
            raise ValueError(f'{name}: expected 0 <= score_thr <= 1, got {score_thr}.')
        if top_k < 1:
            raise ValueError(f'{name}: expected top_k >= 1, got {top_k}.')
        if cost not in (None, BudgetUnit.BOX, BudgetUnit.SECOND):
            raise ValueError(f"{name}: expected cost=None, 'box' or 'second', got {cost!r}.")
        self.rule = PseudoLabels(score_thr=score_thr, top_k=top_k)
        self.scale_by_boxes = scale_by_boxes
        self.cost = cost
        if batch not in (None, 'fisher'):
            raise ValueError(f"{name}: expected batch=None or 'fisher', got {batch!r}.")
        if not filter >= 1:
            raise ValueError(f'{name}: expected filter of 1 or more, got {filter}.')
        self.near_copies = NearCopyRule(name, max_cosine, layers, batch_size)
        self.filter = filter
        self.check_filter = check_filter
        self._fisher: FisherBatch | None = None
        if batch == 'fisher':
            self._fisher = FisherBatch(
                name, 'binary', target, False, None, MAX_TARGETS, layers, batch_size
            )
        self.batch_size = batch_size
        self.max_nonfinite = max_nonfinite

    def check(self, data: DataAdapter, images: int, model: nn.Module) -> None:
        """Refuse an argument that a detector would ignore, and layers that the model does not have.

        Args:
            data: Data side of the run.
            images: Smallest number of images that a query will take.
            model: The model as built from the config, not wrapped.

        Raises:
            InputError: If ``top_k`` is given for a detector, or a name in ``layers`` is needed and
                is not that of a module.
        """
        if data.has_boxes:
            self._require_one_label()
        self.near_copies.check(model)
        if self._fisher is not None:
            self._fisher.check(data, model)

    def _require_one_label(self) -> None:
        """Refuse K > 1 for a detector."""
        if self.rule.top_k > 1:
            raise InputError(
                f'{type(self).__name__}(top_k={self.rule.top_k}) is for classifiers: a detected '
                'box has one class. Remove train_cfg.sampler.top_k.'
            )

    def score(self, query: Query) -> Scores:
        """Compute the influence of every image.

        Args:
            query: The images to score, and the folder that holds s_test.

        Returns:
            The influences, weighted by boxes and cost if asked.

        Raises:
            InputError: If ``top_k`` is given for a detector, or no labeling time is known for
                ``cost='second'``.
            FloatingPointError: If more than ``max_nonfinite`` of the influences are not finite.
        """
        findings, unreadable = self._influences(query)
        weighted = {}
        for image_id, (influence, n_boxes) in findings.items():
            weighted[image_id] = (self._weighted(influence, n_boxes, query), n_boxes)
        scores = Scores.from_findings(weighted, unreadable).record_nonfinite(query.logger)
        self._check_nonfinite(scores)
        scores = self.near_copies.apply(query, scores)
        if self._fisher is not None:
            self._compose(query, scores, self._fisher)
        return scores

    def _compose(self, query: Query, scores: Scores, fisher: FisherBatch) -> None:
        """Have the batch chosen among the images of the most negative influence."""
        n_passing: int | None = math.ceil(self.filter * query.budget)
        if self.check_filter and not self._is_right_on_reference(query):
            n_passing = None

        def passing() -> ImageIds:
            ranking = scores.finite_ranking(query.seed, f'ties/{query.round}')
            distinct = [image_id for image_id in ranking if image_id not in scores.near_copies]
            return distinct[:n_passing]

        # Rank 0 alone has scores, and all compute features.
        composed = fisher.choose(query, run_on_rank_zero(passing))
        scores.order = composed.order

    def _is_right_on_reference(self, query: Query) -> bool:
        """Whether images of the reference set that would pass the filter are worth it."""
        adapter = query.adapter()
        params, direction = self._direction(query)
        beside = reference_query(query)

        def predict_batch(ids: ImageIds, items: list[Any]) -> list[tuple[float, float]]:
            guessed, _ = adapter.pseudo_derivative(items, ids, params, direction, self.rule)
            true = derivatives_along(adapter.losses(items), params, direction)
            return list(zip((-guessed).tolist(), (-true).tolist(), strict=True))

        with restrict_grad(adapter.model, params):
            findings, _ = run_over_pool(
                beside,
                predict_batch,
                title='filter check',
                batch_size=self.batch_size,
                mode=adapter.loss_mode,
            )
        query.pass_count = beside.pass_count

        def check() -> bool:
            guessed, true = np.array(list(findings.values()), float).T
            verdict = check_filter(guessed, true)
            query.logger.info(f'{query.titled("filter")}: {verdict.text}')
            return verdict.is_right

        # Rank 0 alone has findings.
        return run_on_rank_zero(check)

    def _check_nonfinite(self, scores: Scores) -> None:
        """Stop all processes if too many of the scores, which rank 0 has, are not finite."""
        n_scores = len(scores.value)
        run_on_rank_zero(
            lambda: check_nonfinite_share(scores.nonfinite, n_scores, self.max_nonfinite, 'pool')
        )

    def _weighted(self, influence: float, n_boxes: int, query: Query) -> float:
        """The score of an image with so many pseudo-boxes."""
        score = influence
        if self.scale_by_boxes:
            score *= max(n_boxes, 1)
        if self.cost is None:
            return score
        cost = max(self._cost(n_boxes, query), MIN_COST)
        # Harm divided by its cost would rank the dearer of two harmful images first.
        return score * cost if score > 0 else score / cost

    def _cost(self, n_boxes: int, query: Query) -> float:
        """What labeling an image with so many pseudo-boxes will cost."""
        if self.cost == BudgetUnit.BOX:
            return query.costs.boxes(n_boxes)
        seconds = query.costs.seconds(n_boxes)
        if seconds is None:
            raise InputError(
                "InfluenceSampler(cost='second'): no labeling time is known. Bring labels that "
                "have it (Label Studio's JSON export, or a CSV column `seconds`), or take "
                "cost='box'."
            )
        return seconds

    @staticmethod
    def _direction(query: Query) -> tuple[dict[str, nn.Parameter], Tensor]:
        """The parameters that s_test has, and s_test of shape (P,)."""
        model = query.adapter().model
        device = next(model.parameters()).device
        s_test = load_tensors(RoundPaths(query.folder).artifact('s_test'), device)
        parameters = dict(model.named_parameters())
        params = {name: parameters[name] for name in s_test}
        return params, flatten(s_test)

    def _influences(self, query: Query) -> PassResult[ScoreAndCount]:
        """Influence and number of pseudo-boxes by id, and why an image is unreadable by id."""
        adapter = query.adapter()
        if isinstance(adapter, DetectorAdapter):
            self._require_one_label()
        params, direction = self._direction(query)

        def predict_batch(ids: ImageIds, items: list[Any]) -> list[ScoreAndCount]:
            derivative, counts = adapter.pseudo_derivative(items, ids, params, direction, self.rule)
            influence = -derivative
            return list(zip(influence.tolist(), counts, strict=True))

        with restrict_grad(adapter.model, params):
            return run_over_pool(
                query, predict_batch, batch_size=self.batch_size, mode=adapter.loss_mode
            )


@SAMPLERS.register_module()
class GradientSimilaritySampler(InfluenceSampler):
    """ISAL without the inverse Hessian (paper, Table 2).

    The score is -v . G_z, where v is the mean reference gradient. It takes the arguments of
    :class:`InfluenceSampler`. StestHook's own ``solver`` is not used.
    """

    solver = dict(type='mmal.Identity')
