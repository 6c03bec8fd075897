from __future__ import annotations

import math

from mmal.adapters.base import PseudoLabels
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.errors import InputError
from mmal.fileio.tensors import load_tensors
from mmal.influence.parameters import flatten, restrict_grad
from mmal.registry import SAMPLERS
from mmal.utils.nonfinite import check_nonfinite_share

from .base import Query, Scores
from .diversity import select_diverse
from .pool_pass import run_over_pool


@SAMPLERS.register_module()
class InfluenceSampler:
    """ISAL: label first what would lower the reference loss most (paper, Algorithms 1 and 2).

    The score is the influence I(z) = -s_test . G_z, where G_z is the gradient of the loss of image z against the
    model's own confident predictions. *More negative is more helpful*. An image without a confident prediction is
    scored as background. An image whose influence is not finite is named and ranked last. s_test is read from
    ``s_test.pth`` of the round, which :class:`~mmal.engine.hooks.StestHook` wrote.

    Args:
        score_thr: Detection: predictions at least this confident are pseudo-boxes, after the detector's own
            ``test_cfg`` (its score threshold and NMS). Defaults to 0.1, the first authors' value.
        max_boxes: Detection: at most so many pseudo-boxes an image, the most confident. Defaults to None: all.
        class_agnostic: Detection: of overlapping predictions of different classes, only the most confident becomes a
            pseudo-box. Defaults to False.
        top_k: Classification: K of the paper's equation 3; the gradients of the K most confident classes are weighted
            by their confidence. With K = all classes and cross-entropy every influence is zero. Detectors, whose boxes
            have one class each, are refused with K > 1. Defaults to 1.
        scale_by_boxes: Detection: the score is the influence times the number of pseudo-boxes (at least 1). An image's loss is a
            mean over its boxes, but the loss of a training batch is a mean over all of the batch's boxes, in which an
            image counts as much as it has boxes. For budgets in images; it chooses images with more boxes. Defaults to
            False: as in the paper.
        cost: None; 'box': the score is divided by the boxes the image will cost, help for each box to be drawn; or
            'second': by the seconds it will take. Both are predicted (:class:`~mmal.pool.cost_model.CostModel`): boxes are the
            pseudo-boxes, at least 1, until two labeled rounds tell better; seconds need labels that came with their
            time. Defaults to None.
        max_cosine: Of images of one query that resemble each other more than this, only the most helpful is taken:
            cosine of their features (see ``layers``), of which the mean is subtracted, -1 to 1. It takes a second pass
            over the most helpful images. Where the whole pool does not have so many that differ, the most helpful of
            the others fill the query. Defaults to None: every image by itself.
        layers: Modules whose outputs are the features. Defaults to None: what goes into the last layers.
        batch_size: Images to a batch. Defaults to None: that of ``val_dataloader``. It changes influences by rounding
            errors only, but for assigners that amplify those (SimOTA).
        max_nonfinite: Share of images whose influence may be not finite; more stop the run. Defaults to 0.1.

    Raises:
        ValueError: If an argument is out of range.
        InputError: If ``top_k`` is given for a detector.
    """

    needs_s_test = True
    solver: dict | None = None
    column = 'influence'

    def __init__(
        self,
        score_thr: float = 0.1,
        max_boxes: int | None = None,
        class_agnostic: bool = False,
        top_k: int = 1,
        scale_by_boxes: bool = False,
        cost: str | None = None,
        max_cosine: float | None = None,
        layers: list[str] | None = None,
        batch_size: int | None = None,
        max_nonfinite: float = 0.1,
    ) -> None:
        if not 0 <= score_thr <= 1:
            raise ValueError(
                f'{type(self).__name__}: expected 0 <= score_thr <= 1, got {score_thr}.'
            )
        if (max_boxes is not None and max_boxes < 1) or top_k < 1:
            raise ValueError(
                f'{type(self).__name__}: expected max_boxes and top_k >= 1, got {max_boxes}, {top_k}.'
            )
        if cost not in (None, 'box', 'second'):
            raise ValueError(
                f"{type(self).__name__}: expected cost=None, 'box' or 'second', got {cost!r}."
            )
        if max_cosine is not None and not -1 <= max_cosine < 1:
            raise ValueError(
                f'{type(self).__name__}: expected -1 <= max_cosine < 1, got {max_cosine}.'
            )
        self.rule = PseudoLabels(score_thr, max_boxes, top_k)
        self.scale_by_boxes, self.cost, self.max_cosine, self.layers = (
            scale_by_boxes,
            cost,
            max_cosine,
            layers,
        )
        self.batch_size, self.max_nonfinite = batch_size, max_nonfinite

    def check(self, data, images: int) -> None:
        """Refuse what a detector would ignore."""
        self._require_one_label(data.has_boxes)

    def _require_one_label(self, detector: bool) -> None:
        if detector and self.rule.top_k > 1:
            raise InputError(
                f'{type(self).__name__}(top_k={self.rule.top_k}) is for classifiers: a detected box has '
                'one class. Remove train_cfg.sampler.top_k.'
            )

    def score(self, query: Query) -> Scores:
        """Influence of every image; an order of its own where ``max_cosine`` asks for one."""
        found, unreadable = self._influences(query)
        scores = Scores(
            {i: value * self._weight(boxes, query) for i, (value, boxes) in found.items()},
            pseudo_boxes={i: boxes for i, (_, boxes) in found.items()},
            unreadable=unreadable,
        )
        scores.record_nonfinite(query.logger)
        run_on_rank_zero(
            lambda: check_nonfinite_share(
                scores.nonfinite, len(scores.value), self.max_nonfinite, 'pool'
            )
        )
        if self.max_cosine is not None:
            candidates = run_on_rank_zero(
                lambda: [
                    i
                    for i in scores.ranking(query.seed, f'ties/{query.round}')
                    if math.isfinite(scores.value[i])
                ]
            )
            scores.order = select_diverse(
                query, candidates, self.max_cosine, self.layers, self.batch_size
            )
        return scores

    def _weight(self, boxes: int, query: Query) -> float:
        cost = (
            dict(box=query.costs.boxes, second=query.costs.seconds)[self.cost](boxes)
            if self.cost
            else 1.0
        )
        if cost is None:
            raise InputError(
                "InfluenceSampler(cost='second'): no labeling time is known. Bring labels that have it "
                "(Label Studio's JSON export, or a CSV column `seconds`), or take cost='box'."
            )
        return (max(boxes, 1) if self.scale_by_boxes else 1) / max(cost, 1e-9)

    def _influences(self, query: Query) -> tuple[dict, dict]:
        """Influence and number of pseudo-boxes by id; why an image has none."""
        task = query.adapter()
        self._require_one_label(hasattr(task, 'detect'))
        s_test = load_tensors(query.folder / 's_test.pth', next(task.model.parameters()).device)
        parameters, direction = dict(task.model.named_parameters()), flatten(s_test)
        params = {name: parameters[name] for name in s_test}

        def visit(keys: list, items: list) -> list:
            derivative, counts = task.pseudo_derivative(items, keys, params, direction, self.rule)
            return list(zip((-derivative).tolist(), counts, strict=True))

        with restrict_grad(task.model, params):
            return run_over_pool(query, visit, batch_size=self.batch_size, mode=task.loss_mode)


@SAMPLERS.register_module()
class GradientSimilaritySampler(InfluenceSampler):
    """ISAL without the inverse Hessian (paper, Table 2): the score is -v . G_z, v the mean reference gradient.

    It takes the arguments of :class:`InfluenceSampler`; StestHook's ``solver`` is not asked.
    """

    solver = dict(type='mmal.Identity')
