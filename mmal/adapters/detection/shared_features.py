"""Derivatives of any detector whose chosen parameters lie in heads: features are computed once.

The detector's public ``predict`` and ``loss`` run image by image on shared features.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.models.dense_heads import RPNHead
from torch import nn

from mmal.adapters.batching import unbatch
from mmal.adapters.derivatives import DerivativeBatch, Derivatives
from mmal.adapters.model_modes import stub_method
from mmal.influence.affine import AffineTape
from mmal.influence.parameters import unflatten

from .losses import image_loss, nan_where_loss_nonfinite, pseudo_targets

FEATURE_EXTRACTORS = ('backbone', 'neck')
"""Children of a detector that ``extract_feat`` runs."""


def shares_features(params: dict[str, nn.Parameter]) -> bool:
    """Whether features do not depend on any of the parameters.

    Args:
        params: The parameters by name.
    """
    return all(name.split('.')[0] not in FEATURE_EXTRACTORS for name in params)


class SharedFeaturesMethod:
    """The method ``shared``: backbone and neck once per batch, the heads image by image.

    Args:
        model: The detector, not wrapped.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(self, batch: DerivativeBatch) -> Derivatives:
        """Compute the derivatives of a batch.

        Args:
            batch: The batch. None of its parameters lies in backbone or neck.

        Raises:
            NotAffine: If a parameter does not belong to a linear or convolutional layer.
        """
        # in their own memory layout: other rounding errors may give other proposals
        with torch.no_grad():
            feats = self._model.extract_feat(batch.inputs)
        tangent = unflatten(batch.direction, batch.params)
        image = batch.image(0)
        values = []
        counts = []
        feats_by_image = unbatch(feats, len(batch.samples))
        images = zip(feats_by_image, batch.samples, batch.image_ids, strict=True)
        for image_feats, sample, image_id in images:
            with (
                AffineTape(self._model, batch.params) as tape,
                shared_features(self._model, image_feats),
            ):
                # the image itself is not used: its features are given
                (target,) = pseudo_targets(self._model, image, [sample], batch.pseudo_labels)
                loss = image_loss(self._model, image, target, image_id)
            value = nan_where_loss_nonfinite(tape.derivative(loss, tangent), [loss])
            values.append(value[0])
            counts.append(len(target.gt_instances))
        return torch.stack(values), counts


@contextmanager
def shared_features(model: Any, feats: Any) -> Iterator[None]:
    """Let ``predict`` and ``loss`` share what both compute: the features, and an RPN's outputs.

    Enter it with gradients enabled, so that the RPN's outputs serve the loss as well.

    Args:
        model: The detector, not wrapped.
        feats: What ``extract_feat`` returns inside the context.
    """
    rpn = getattr(model, 'rpn_head', None)
    with stub_method(model, 'extract_feat', feats):
        if isinstance(rpn, RPNHead):
            with stub_method(rpn, 'forward', rpn(feats)):
                yield
        else:
            yield
