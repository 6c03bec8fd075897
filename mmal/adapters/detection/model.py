"""Detectors: per-image losses, pseudo-boxes, directional derivatives."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import SingleStageDetector
from mmdet.structures import DetDataSample
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmal.adapters.base import PseudoLabels
from mmal.adapters.features import Features
from mmal.adapters.model_modes import (
    eval_mode,
    group_by_shape,
    seeded,
    to_channels_last_on_cpu,
    unbatch,
)
from mmal.adapters.predictions import boxes_in_image
from mmal.errors import InputError
from mmal.influence.affine import AffineTape, NotAffine
from mmal.influence.directional_derivative import agree
from mmal.influence.last_layers import find_last_layers
from mmal.influence.parameters import gradient, unflatten

from .head_outputs import PredictionOutputs
from .modes import SHARED, loss_mode, prediction_mode, shared_features
from .predict import detect
from .pseudo_labels import pseudo_sample

MAX_CHECKED_BATCHES = 5
"""Batches that a way is compared with plain autograd on, at most."""


class DetectionAdapter:
    """Model side of detection; see :class:`~mmal.adapters.base.ModelAdapter`.

    Directional derivatives go one of three ways, chosen on the first image, where each is compared with plain autograd:

    * ``dense``: an ordinary single-stage head runs once a batch, shared by pseudo-boxes and loss;
    * ``shared``: the public ``predict`` and ``loss``, image by image, on features computed once a batch;
    * ``backward``: the public ``predict`` and ``loss`` and a backward pass an image; any parameters.

    Args:
        model: The detector, wrapped (DDP) or not.
        log: Told which way was chosen. Defaults to mmengine's current logger.

    Raises:
        InputError: If the detector has a mask head outside a two-stage RoI head, or a semantic one.
    """

    def __init__(self, model: nn.Module, log: Callable[[str], None] | None = None) -> None:
        self.model = model.module if is_model_wrapper(model) else model
        if hasattr(self.model, 'mask_head') or getattr(
            getattr(self.model, 'roi_head', None), 'with_semantic', False
        ):
            raise InputError(
                f'{type(self.model).__name__} has a mask head: pseudo-labels are boxes. Of instance '
                'segmentation, two-stage detectors like Mask R-CNN work, by their box part.'
            )
        head = getattr(self.model, 'bbox_head', None)
        self.dense = (
            isinstance(self.model, SingleStageDetector)
            and type(self.model).loss is SingleStageDetector.loss
            and type(self.model).predict is SingleStageDetector.predict
            and type(head).loss is BaseDenseHead.loss
            and type(head).predict is BaseDenseHead.predict
        )
        self.method: str | None = None
        self._checks = MAX_CHECKED_BATCHES
        self._log = log or (lambda text: print_log(text, logger='current'))
        self._prediction_outputs = PredictionOutputs(head)
        self._features = Features(self.model, self._prepare, self.dense, prediction_mode)

    def loss_mode(self):
        return loss_mode(self.model)

    def last_layers(self, items: list[dict]) -> list[str]:
        with self.loss_mode():
            return find_last_layers(self.model, lambda: self.losses(items).sum())

    def losses(self, items: list[dict]) -> Tensor:
        """Loss of each item, shape (N,). Call inside :meth:`loss_mode`."""
        losses: list[Tensor] = [None] * len(items)
        for group in group_by_shape(items):
            inputs, samples = self._prepare([items[i] for i in group])
            for row, fn in zip(group, self._loss_fns(inputs, samples), strict=True):
                losses[row] = fn()
        return torch.stack(losses)

    def pseudo_derivative(
        self,
        items: list[dict],
        image_ids: list,
        params: dict[str, nn.Parameter],
        direction: Tensor,
        rule: PseudoLabels,
    ) -> tuple[Tensor, list[int]]:
        """Algorithm 1 without its sign: direction . G_z and the number of pseudo-boxes of each item.

        An item without a confident prediction has the loss of an image of background. Call inside :meth:`loss_mode`.

        Args:
            items: Dataset items without annotations.
            image_ids: Their ids; they seed what the detector samples at random.
            params: The parameters, P values in all.
            direction: s, shape (P,).
            rule: Which predictions become pseudo-boxes.
        """
        values, counts = torch.zeros(len(items), device=direction.device), [0] * len(items)
        for group in group_by_shape(items):
            inputs, samples = self._prepare([items[i] for i in group])
            ids = [image_ids[i] for i in group]
            if self._checks:
                self._select_method(inputs[:2], samples[:2], ids[:2], params, direction, rule)
            value, count = self._methods[self.method](inputs, samples, ids, params, direction, rule)
            values[group] = value.to(values)
            for i, n in zip(group, count, strict=True):
                counts[i] = n
        return values, counts

    def pseudo_gradients(
        self,
        items: list[dict],
        image_ids: list,
        params: dict[str, nn.Parameter],
        rule: PseudoLabels,
    ) -> Tensor:
        """G_z of each item, shape (N, P). Call inside :meth:`loss_mode`."""
        found = []
        for item, key in zip(items, image_ids, strict=True):
            inputs, samples = self._prepare([item])
            target = self._public_targets(inputs, samples, rule)[0]
            found.append(gradient(self._image_loss(inputs, target, key)(), params))
        return torch.stack(found)

    # --- what other samplers look at ---------------------------------------------------------------------------------

    def detect(
        self, items: list[dict], score_thr: float = 0.05, with_features: bool = False
    ) -> list[InstanceData]:
        return detect(self.model, self._prepare, items, score_thr, with_features)

    def probabilities(self, items: list[dict], score_thr: float = 0.05) -> list[Tensor]:
        """Of each item: (boxes, 2), the box's class is there, or not."""
        return [torch.stack([f.scores, 1 - f.scores], 1) for f in self.detect(items, score_thr)]

    def predictions(self, items: list[dict], score_thr: float = 0.3) -> list[list[dict]]:
        found = self.detect(items, score_thr)
        return [
            boxes_in_image(f, item['data_samples']) for f, item in zip(found, items, strict=True)
        ]

    def features(self, items: list[dict], layers: list[str] | None = None) -> Tensor:
        return self._features.extract(items, layers)

    def output_layers(self, items: list[dict]) -> list[str]:
        return self._features.output_layers(items)

    # --- three ways to a derivative, on one batch of equal shape ----------------------------------------------------

    @property
    def _methods(self) -> dict[str, Callable]:
        return dict(
            dense=self._by_dense_head, shared=self._by_shared_features, backward=self._by_backward
        )

    def _select_method(self, inputs, samples, ids, params, direction, rule) -> None:
        """Take the first way that gives what plain autograd gives for one or two images; 'backward' is plain autograd.

        Repeated on the next batch, a few times at most, while the images tell little (no pseudo-box, no finite slope).
        """
        name, reasons, told = 'backward', [], True
        if any(p.split('.')[0] in SHARED for p in params):
            reasons.append('some parameters lie in the backbone or neck')
        else:
            targets = [
                self._public_targets(inputs[i : i + 1], [s], rule)[0] for i, s in enumerate(samples)
            ]
            slopes = [
                gradient(self._image_loss(inputs[i : i + 1], t, key)(), params)
                for i, (t, key) in enumerate(zip(targets, ids, strict=True))
            ]
            told = any(
                bool(g.isfinite().all() and g.any()) and len(t.gt_instances)
                for g, t in zip(slopes, targets, strict=True)
            )
            # one image a time for 'shared': other rounding errors in a batch may be other proposals
            for way, n in (('dense', 2), ('shared', 1)) if self.dense else (('shared', 1),):
                try:
                    values = self._methods[way](
                        inputs[:n], samples[:n], ids[:n], params, direction, rule
                    )[0]
                except (NotAffine, NotImplementedError) as e:
                    reasons.append(f'not {way}: {e}')
                    continue
                if all(
                    agree(v, g @ direction, direction, float(g.norm()))
                    for v, g in zip(values, slopes, strict=False)
                ):
                    name = way
                    break
                reasons.append(
                    f'not {way}: {values.tolist()}, where plain autograd gives '
                    f'{[float(g @ direction) for g in slopes]}'
                )
        self._checks = 0 if told else self._checks - 1
        if name != self.method:
            self._log(
                f'Directional derivative: {name}' + (f' ({"; ".join(reasons)})' if reasons else '')
            )
        self.method = name

    def _by_dense_head(self, inputs, samples, ids, params, direction, rule):
        head, n = self.model.bbox_head, len(samples)
        with torch.no_grad():
            feats = self.model.extract_feat(to_channels_last_on_cpu(inputs))
        with AffineTape(self.model, params) as tape:
            outs = head(feats)
        with torch.no_grad():
            found = head.predict_by_feat(
                *self._prediction_outputs.convert(feats, outs),
                rescale=False,
                batch_img_metas=[s.metainfo for s in samples],
            )
        targets = [pseudo_sample(s, f, rule) for s, f in zip(samples, found, strict=True)]
        losses = [
            self._head_loss(out, target)
            for out, target in zip(unbatch(outs, n), targets, strict=True)
        ]
        derivative = tape.derivative(torch.stack(losses).sum(), unflatten(direction, params), n)
        return self._nan_where_loss_nonfinite(derivative, losses), [
            len(t.gt_instances) for t in targets
        ]

    def _by_shared_features(self, inputs, samples, ids, params, direction, rule):
        with torch.no_grad():
            feats = self.model.extract_feat(
                inputs
            )  # as they are: other rounding errors would be other proposals
        values, counts, tangent = [], [], unflatten(direction, params)
        for feat, sample, key in zip(unbatch(feats, len(samples)), samples, ids, strict=True):
            with AffineTape(self.model, params) as tape, shared_features(self.model, feat):
                target = self._public_targets(inputs[:1], [sample], rule)[0]
                loss = self._image_loss(inputs[:1], target, key)()
            values.append(self._nan_where_loss_nonfinite(tape.derivative(loss, tangent), [loss])[0])
            counts.append(len(target.gt_instances))
        return torch.stack(values), counts

    def _by_backward(self, inputs, samples, ids, params, direction, rule):
        targets, values = self._public_targets(inputs, samples, rule), []
        for i, (target, key) in enumerate(zip(targets, ids, strict=True)):
            loss = self._image_loss(inputs[i : i + 1], target, key)()
            values.append(
                self._nan_where_loss_nonfinite(gradient(loss, params)[None] @ direction, [loss])[0]
            )
        return torch.stack(values), [len(t.gt_instances) for t in targets]

    @staticmethod
    def _nan_where_loss_nonfinite(values: Tensor, losses: list[Tensor]) -> Tensor:
        """Not a number where the loss is none: a slope may be finite there."""
        finite = torch.stack([loss.detach() for loss in losses]).isfinite()
        return torch.where(finite, values, torch.full_like(values, float('nan')))

    # --- losses and predictions -------------------------------------------------------------------------------------

    def _public_targets(self, inputs, samples, rule) -> list[DetDataSample]:
        with torch.no_grad(), eval_mode(self.model):
            found = self.model.predict(inputs, copy.deepcopy(samples), rescale=False)
        return [
            pseudo_sample(s, f.pred_instances, rule) for s, f in zip(samples, found, strict=True)
        ]

    def _loss_fns(self, inputs, samples) -> list[Callable[[], Tensor]]:
        if not self.dense:
            return [self._image_loss(inputs[i : i + 1], s, s.img_id) for i, s in enumerate(samples)]
        outs = unbatch(self.model.bbox_head(self.model.extract_feat(inputs)), len(samples))
        return [
            lambda out=out, s=s: self._head_loss(out, s)
            for out, s in zip(outs, samples, strict=True)
        ]

    def _image_loss(self, inputs: Tensor, sample: DetDataSample, key) -> Callable[[], Tensor]:
        def loss() -> Tensor:
            with seeded(key):
                return self.model.parse_losses(self.model.loss(inputs, [copy.deepcopy(sample)]))[0]

        return loss

    def _head_loss(self, outs: tuple, sample: DetDataSample) -> Tensor:
        losses = self.model.bbox_head.loss_by_feat(
            *outs, [sample.gt_instances], [sample.metainfo], [sample.get('ignored_instances')]
        )
        return self.model.parse_losses(losses)[0]

    def _prepare(self, items: list[dict]) -> tuple[Tensor, list[DetDataSample]]:
        data = self.model.data_preprocessor(pseudo_collate(items), False)
        return data['inputs'], data['data_samples']
