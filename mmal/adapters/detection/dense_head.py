"""Derivatives of an ordinary single-stage detector: its head runs once per batch.

Pseudo-boxes and loss share the outputs of that one pass.
"""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import SingleStageDetector
from torch import nn

from mmal.adapters.batching import to_channels_last_on_cpu, unbatch
from mmal.adapters.derivatives import DerivativeBatch, Derivatives
from mmal.influence.affine import AffineTape
from mmal.influence.parameters import unflatten

from .head_outputs import PredictionOutputs
from .losses import head_loss, nan_where_loss_nonfinite
from .pseudo_labels import pseudo_samples


def has_dense_head(model: nn.Module) -> bool:
    """Whether loss and predictions of a detector are functions of its head's outputs.

    So it is where detector and head inherit ``loss`` and ``predict`` from mmdet's base classes.

    Args:
        model: The detector, not wrapped.
    """
    detector_type: Any = type(model)
    head_type: Any = type(getattr(model, 'bbox_head', None))
    return (
        isinstance(model, SingleStageDetector)
        and detector_type.loss is SingleStageDetector.loss
        and detector_type.predict is SingleStageDetector.predict
        and head_type.loss is BaseDenseHead.loss
        and head_type.predict is BaseDenseHead.predict
    )


class DenseHeadMethod:
    """The method ``dense``: one pass of the head, then one backward pass down to its outputs.

    Args:
        model: A detector with a dense head, not wrapped.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._prediction_outputs = PredictionOutputs(model.bbox_head)

    def __call__(self, batch: DerivativeBatch) -> Derivatives:
        """Compute the derivatives of a batch.

        Args:
            batch: The batch.

        Raises:
            NotAffine: If a parameter does not belong to a linear or convolutional layer.
        """
        with torch.no_grad():
            feats = self._model.extract_feat(to_channels_last_on_cpu(batch.inputs))
        with AffineTape(self._model, batch.params) as tape:
            outputs = self._model.bbox_head(feats)
        targets = self._targets(batch, feats, outputs)
        n = len(batch.samples)
        losses = []
        counts = []
        for image_outputs, target in zip(unbatch(outputs, n), targets, strict=True):
            losses.append(head_loss(self._model, image_outputs, target))
            counts.append(len(target.gt_instances))
        tangent = unflatten(batch.direction, batch.params)
        sum_of_losses = torch.stack(losses).sum()
        values = tape.derivative(sum_of_losses, tangent, n)
        return nan_where_loss_nonfinite(values, losses), counts

    def _targets(self, batch: DerivativeBatch, feats: Any, outputs: tuple[Any, ...]) -> list[Any]:
        """Samples whose ground truth is what the head predicts."""
        metas = [sample.metainfo for sample in batch.samples]
        with torch.no_grad():
            eval_outputs = self._prediction_outputs.convert(feats, outputs)
            predicted = self._model.bbox_head.predict_by_feat(
                *eval_outputs, rescale=False, batch_img_metas=metas
            )
        return pseudo_samples(batch.samples, predicted, batch.pseudo_labels)
