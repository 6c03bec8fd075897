"""Detectors: per-image losses, pseudo-boxes, directional derivatives."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import SingleStageDetector
from mmdet.structures import DetDataSample
from mmengine.dataset import pseudo_collate
from mmengine.model import is_model_wrapper
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_map

from ..errors import InputError
from ..influence import head_outputs_and_tangents, output_derivative, per_sample_derivative, unflatten
from .modes import eval_mode, loss_mode, seeded

HEAD = 'bbox_head.'

GRID = 0.25
"""Pseudo-boxes lie on this grid, in pixels of the network input. Where a prediction is its own target a box loss has a
kink (L1, IoU), and its slope would be the sign of rounding errors, another with every batch size."""


def _rows(outputs: Any, i: int) -> Any:
    return tree_map(lambda t: t[i:i + 1] if isinstance(t, Tensor) else t, outputs)


def _equal(a: Any, b: Any) -> bool:
    a, b = tree_flatten(a)[0], tree_flatten(b)[0]
    return len(a) == len(b) and all(x.shape == y.shape and torch.allclose(x, y) for x, y in zip(a, b, strict=True))


class DetectionTask:
    """Model side of detection; see :class:`~mmal.tasks.base.Task`.

    A single-stage detector with an ordinary dense head runs its trunk once a batch and its head once, shared by
    pseudo-boxes and loss. Any other detector goes through its public ``predict`` and ``loss``, image by image.

    Args:
        model: The detector, wrapped (DDP) or not.

    Raises:
        InputError: If the detector has a mask head.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model.module if is_model_wrapper(model) else model
        if getattr(self.model, 'with_mask', False) or hasattr(self.model, 'mask_head'):
            raise InputError(f'{type(self.model).__name__} has a mask head: pseudo-labels are boxes only so far.')
        head = getattr(self.model, 'bbox_head', None)
        self.dense = (isinstance(self.model, SingleStageDetector) and type(self.model).loss is SingleStageDetector.loss
                      and type(self.model).predict is SingleStageDetector.predict
                      and type(head).loss is BaseDenseHead.loss and type(head).predict is BaseDenseHead.predict)
        self._to_prediction: Callable | None = None

    def loss_mode(self):
        return loss_mode(self.model)

    def losses(self, items: list[dict]) -> Tensor:
        """Loss of each item, shape (N,). Call inside :meth:`loss_mode`."""
        losses: list[Tensor] = [None] * len(items)
        for rows in self._same_shape(items):
            inputs, samples = self._prepare([items[i] for i in rows])
            for row, fn in zip(rows, self._loss_fns(inputs, samples), strict=True):
                losses[row] = fn()
        return torch.stack(losses)

    def pseudo_derivative(self, items: list[dict], image_ids: list, params: dict[str, nn.Parameter],
                          direction: Tensor, score_thr: float) -> tuple[Tensor, list[int]]:
        """Algorithm 1 without its sign: direction . G_z and the number of pseudo-boxes of each item.

        An item without a prediction above ``score_thr`` has the loss of an image of background. Call inside
        :meth:`loss_mode`.

        Args:
            items: Dataset items without annotations.
            image_ids: Their ids; they seed what the detector samples at random.
            params: The parameters, P values in all.
            direction: s, shape (P,).
            score_thr: Predictions at least this confident become pseudo-boxes, after the detector's own ``test_cfg``.
        """
        fast = self.dense and all(name.startswith(HEAD) for name in params)
        values, counts = torch.zeros(len(items), device=direction.device), [0] * len(items)
        for rows in self._same_shape(items):
            inputs, samples = self._prepare([items[i] for i in rows])
            ids = [image_ids[i] for i in rows]
            try:
                derivative = self._dense_derivative if fast else self._generic_derivative
                value, count = derivative(inputs, samples, ids, params, direction, score_thr)
            except NotImplementedError:  # an operator behind the parameters that has no forward derivative
                fast = self.dense = False
                value, count = self._generic_derivative(inputs, samples, ids, params, direction, score_thr)
            values[rows] = value.to(values)
            for i, n in zip(rows, count, strict=True):
                counts[i] = n
        return values, counts

    # --- one batch of equal shape -----------------------------------------------------------------------------------

    def _dense_derivative(self, inputs, samples, ids, params, direction, score_thr):
        head = self.model.bbox_head
        tangent = {name[len(HEAD):]: t for name, t in unflatten(direction, params).items()}
        with torch.no_grad():
            feats = self.model.extract_feat(inputs)
        outs, tangents = head_outputs_and_tangents(head, (feats,), tangent)
        with torch.no_grad():
            found = head.predict_by_feat(*self._prediction_outputs(feats, outs), rescale=False,
                                         batch_img_metas=[s.metainfo for s in samples])
        targets = [self._pseudo(s, f, score_thr) for s, f in zip(samples, found, strict=True)]
        losses = torch.stack([self._head_loss(outs, i, t) for i, t in enumerate(targets)])
        return output_derivative(losses, outs, tangents), [len(t.gt_instances) for t in targets]

    def _generic_derivative(self, inputs, samples, ids, params, direction, score_thr):
        with torch.no_grad(), eval_mode(self.model):
            found = self.model.predict(inputs, copy.deepcopy(samples), rescale=False)
        targets = [self._pseudo(s, f.pred_instances, score_thr) for s, f in zip(samples, found, strict=True)]
        fns = [self._image_loss(inputs[i:i + 1], t, key) for i, (t, key) in enumerate(zip(targets, ids, strict=True))]
        return per_sample_derivative(fns, params, direction), [len(t.gt_instances) for t in targets]

    def _loss_fns(self, inputs, samples) -> list[Callable[[], Tensor]]:
        if not self.dense:
            return [self._image_loss(inputs[i:i + 1], s, s.img_id) for i, s in enumerate(samples)]
        outs = self.model.bbox_head(self.model.extract_feat(inputs))
        return [lambda i=i, s=s: self._head_loss(outs, i, s) for i, s in enumerate(samples)]

    def _image_loss(self, inputs: Tensor, sample: DetDataSample, key) -> Callable[[], Tensor]:
        def loss() -> Tensor:
            with seeded(key):
                return self.model.parse_losses(self.model.loss(inputs, [copy.deepcopy(sample)]))[0]
        return loss

    def _head_loss(self, outs: tuple, i: int, sample: DetDataSample) -> Tensor:
        losses = self.model.bbox_head.loss_by_feat(*_rows(outs, i), [sample.gt_instances], [sample.metainfo],
                                                   [sample.get('ignored_instances')])
        return self.model.parse_losses(losses)[0]

    def _prediction_outputs(self, feats, outs) -> tuple:
        """What the head would output in eval mode, from ``outs`` where possible, else by a second pass.

        Which of the two is found out once, by comparing on the first batch.
        """
        head, outs = self.model.bbox_head, tree_map(lambda t: t.detach(), outs)
        if self._to_prediction is None:
            def second_pass(feats, outs):
                with eval_mode(head):
                    return head(feats)

            expected = second_pass(feats, outs)
            shared = [lambda feats, outs: outs, self._undo_norm_on_bbox]
            self._to_prediction = next((f for f in shared if _equal(f(feats, outs), expected)), second_pass)
        return self._to_prediction(feats, outs)

    def _undo_norm_on_bbox(self, feats, outs) -> tuple:
        """FCOS and its kin divide boxes by the stride in train mode only."""
        head = self.model.bbox_head
        if not getattr(head, 'norm_on_bbox', False) or len(outs) < 2:
            return outs
        return (outs[0], [box * s for box, s in zip(outs[1], head.strides, strict=True)], *outs[2:])

    @staticmethod
    def _pseudo(sample: DetDataSample, found: InstanceData, score_thr: float) -> DetDataSample:
        boxes = (found.bboxes.detach() / GRID).round() * GRID
        wide = (boxes[:, 2:] - boxes[:, :2]).amin(1) >= 1 if len(boxes) else found.scores > 1
        keep = (found.scores >= score_thr) & wide  # mmdet's datasets drop thinner boxes as well
        target = DetDataSample(metainfo=sample.metainfo)
        target.gt_instances = InstanceData(bboxes=boxes[keep], labels=found.labels[keep])
        return target

    @staticmethod
    def _same_shape(items: list[dict]) -> list[list[int]]:
        """Row numbers grouped by image shape: padding to a common size would change the loss."""
        groups: dict[tuple, list[int]] = {}
        for i, item in enumerate(items):
            groups.setdefault(tuple(item['inputs'].shape), []).append(i)
        return list(groups.values())

    def _prepare(self, items: list[dict]) -> tuple[Tensor, list[DetDataSample]]:
        data = self.model.data_preprocessor(pseudo_collate(items), False)
        return data['inputs'], data['data_samples']
