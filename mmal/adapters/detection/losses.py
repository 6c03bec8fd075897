"""Losses and pseudo-boxes of a detector, by its own public methods."""

from __future__ import annotations

import copy
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.dataset import pseudo_collate
from torch import Tensor

from mmal.adapters.base import ImageId, Item, PseudoLabels
from mmal.adapters.model_modes import eval_mode
from mmal.utils.rng import keyed_rng

from .pseudo_labels import pseudo_samples


def prepare(model: Any, items: list[Item]) -> tuple[Tensor, list[DetDataSample]]:
    """Make inputs and data samples by the detector's own preprocessor, without augmentation.

    Args:
        model: The detector, not wrapped.
        items: Dataset items of one shape.

    Returns:
        Inputs of shape (N, C, H, W), and a data sample per image.
    """
    data = model.data_preprocessor(pseudo_collate(items), False)
    return data['inputs'], data['data_samples']


def pseudo_targets(
    model: Any, inputs: Tensor, samples: list[DetDataSample], pseudo_labels: PseudoLabels
) -> list[DetDataSample]:
    """Make samples whose ground truth is what the detector predicts.

    Args:
        model: The detector, not wrapped.
        inputs: Images of shape (N, C, H, W).
        samples: Data sample of each image; its annotations are not used.
        pseudo_labels: Which predictions count.
    """
    with torch.no_grad(), eval_mode(model):
        predicted = model.predict(inputs, copy.deepcopy(samples), rescale=False)
    instances = [prediction.pred_instances for prediction in predicted]
    return pseudo_samples(samples, instances, pseudo_labels)


def image_loss(model: Any, image: Tensor, sample: DetDataSample, image_id: ImageId) -> Tensor:
    """Compute the loss of one image by the detector's public ``loss``.

    Args:
        model: The detector, not wrapped.
        image: The image, of shape (1, C, H, W).
        sample: Its data sample with ground truth.
        image_id: Id of the image; it seeds what the detector samples at random.

    Returns:
        The loss, a scalar with a graph.
    """
    with keyed_rng(image_id):
        losses = model.loss(image, [copy.deepcopy(sample)])
        return total_loss(model, losses)


def head_loss(model: Any, outputs: tuple[Any, ...], sample: DetDataSample) -> Tensor:
    """Compute the loss of one image from the outputs of a dense head.

    Args:
        model: A single-stage detector, not wrapped.
        outputs: Outputs of the head in train mode for one image.
        sample: Data sample of the image, with ground truth.

    Returns:
        The loss, a scalar with a graph.
    """
    ignored = sample.get('ignored_instances')
    losses = model.bbox_head.loss_by_feat(
        *outputs, [sample.gt_instances], [sample.metainfo], [ignored]
    )
    return total_loss(model, losses)


def total_loss(model: Any, losses: dict[str, Any]) -> Tensor:
    """Sum the parts of a loss as the model's training does.

    Args:
        model: The model, not wrapped.
        losses: Parts of the loss by name.
    """
    total: Tensor = model.parse_losses(losses)[0]
    return total


def nan_where_loss_nonfinite(values: Tensor, losses: list[Tensor]) -> Tensor:
    """Replace derivatives by NaN where the loss is not finite: a slope may be finite there.

    Args:
        values: Derivative of each image, of shape (N,).
        losses: Loss of each image.
    """
    finite = torch.stack(losses).detach().isfinite()
    return values.masked_fill(~finite, float('nan'))
