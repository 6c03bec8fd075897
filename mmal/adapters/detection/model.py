"""The model side of detection."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmal.adapters.base import ImageId, Item, PseudoLabels
from mmal.adapters.batching import batches_by_shape, in_row_order, unbatch
from mmal.adapters.derivatives import Log, derivatives_by_shape, log_to_current_logger
from mmal.adapters.features import Features
from mmal.adapters.model_modes import unwrapped
from mmal.adapters.predictions import boxes_in_image
from mmal.annotation.records import Prediction
from mmal.errors import InputError
from mmal.influence.last_layers import find_last_layers
from mmal.influence.method_selection import MethodSelector
from mmal.influence.parameters import gradient

from .dense_head import has_dense_head
from .derivative import DetectorDerivative
from .losses import head_loss, image_loss, prepare, pseudo_targets
from .modes import loss_mode, nms_settings, prediction_mode
from .predict import detect


class DetectionAdapter:
    """Model side of detection; see :class:`~mmal.adapters.base.ModelAdapter`.

    Pseudo-labels are boxes. Derivatives are computed by a
    :class:`~mmal.adapters.detection.derivative.DetectorDerivative`, which chooses the method.

    Attributes:
        model: The detector, not wrapped.
        dense: Whether loss and predictions are functions of the outputs of a dense head, see
            :func:`~mmal.adapters.detection.dense_head.has_dense_head`.

    Args:
        model: The detector, wrapped (DDP) or not.
        log: Receives a line whenever the method of derivatives changes. Defaults to None:
            mmengine's current logger.

    Raises:
        InputError: If the detector has a mask head outside a two-stage RoI head, or a semantic one.
    """

    def __init__(self, model: nn.Module, log: Log | None = None) -> None:
        self.model = unwrapped(model)
        roi_head = getattr(self.model, 'roi_head', None)
        if hasattr(self.model, 'mask_head') or getattr(roi_head, 'with_semantic', False):
            raise InputError(
                f'{type(self.model).__name__} has a mask head: pseudo-labels are boxes. Of '
                'instance segmentation, two-stage detectors like Mask R-CNN work, by their box '
                'part.'
            )
        self.dense = has_dense_head(self.model)
        self._derivative = DetectorDerivative(self.model, self.dense, log or log_to_current_logger)
        self._features = Features(
            self.model, self._prepare, batched=self.dense, mode=prediction_mode
        )

    @property
    def selector(self) -> MethodSelector:
        """Keeps the method of derivatives."""
        return self._derivative.selector

    @property
    def method(self) -> str | None:
        """Name of the method of derivatives in use; None before the first batch."""
        return self.selector.method

    def loss_mode(self) -> AbstractContextManager[None]:
        """Put the detector into loss mode, see :func:`~mmal.adapters.detection.modes.loss_mode`."""
        return loss_mode(self.model)

    def nms_settings(
        self, nms_pre: int | None, iou_threshold: float | None, max_per_img: int | None
    ) -> AbstractContextManager[None]:
        """Change what is kept of the boxes; see
        :func:`~mmal.adapters.detection.modes.nms_settings`.

        Args:
            nms_pre: Boxes a level before NMS; None leaves it.
            iou_threshold: Overlap above which NMS drops a box; None leaves it.
            max_per_img: Boxes an image after NMS; None leaves it.
        """
        return nms_settings(self.model, nms_pre, iou_threshold, max_per_img)

    def last_layers(self, items: Sequence[Item]) -> list[str]:
        """Find the last layers; see :meth:`~mmal.adapters.base.ModelAdapter.last_layers`.

        Args:
            items: Annotated dataset items.
        """
        with self.loss_mode():
            return find_last_layers(self.model, lambda: self.losses(items).sum())

    def output_layers(self, items: Sequence[Item]) -> list[str]:
        """Find the layers that make the raw outputs.

        Args:
            items: Dataset items; the detector runs on the first one.
        """
        return self._features.output_layers(items)

    def losses(self, items: Sequence[Item]) -> Tensor:
        """Compute the loss of each item on its own annotations. Call inside :meth:`loss_mode`.

        Args:
            items: Annotated dataset items.

        Returns:
            Losses of shape (N,) with a graph.
        """
        losses: dict[int, Tensor] = {}
        for rows, batch_items in batches_by_shape(items):
            inputs, samples = self._prepare(batch_items)
            batch_losses = self._losses_of_one_shape(inputs, samples)
            losses.update(zip(rows, batch_losses, strict=True))
        return torch.stack(in_row_order(losses))

    def pseudo_derivative(
        self,
        items: Sequence[Item],
        image_ids: Sequence[ImageId],
        params: dict[str, nn.Parameter],
        direction: Tensor,
        pseudo_labels: PseudoLabels,
    ) -> tuple[Tensor, list[int]]:
        """Compute Algorithm 1 without its sign. Call inside :meth:`loss_mode`.

        An item without a confident prediction has the loss of an image of background.

        Args:
            items: Dataset items; their annotations are not used.
            image_ids: Ids of the items' images. They seed what the detector samples at random.
            params: The parameters by name, P values in all.
            direction: s, of shape (P,).
            pseudo_labels: Which predictions become pseudo-boxes.

        Returns:
            direction . G_z of shape (N,), and the number of pseudo-boxes of each item.
        """
        return derivatives_by_shape(
            items,
            image_ids,
            params,
            direction,
            pseudo_labels,
            prepare=self._prepare,
            compute=self._derivative.compute,
        )

    def pseudo_gradients(
        self,
        items: Sequence[Item],
        image_ids: Sequence[ImageId],
        params: dict[str, nn.Parameter],
        pseudo_labels: PseudoLabels,
    ) -> Tensor:
        """Compute G_z of each item. Call inside :meth:`loss_mode`.

        Args:
            items: Dataset items; their annotations are not used.
            image_ids: Ids of the items' images. They seed what the detector samples at random.
            params: The parameters by name, P values in all.
            pseudo_labels: Which predictions become pseudo-boxes.

        Returns:
            Gradients of shape (N, P).
        """
        gradients = []
        for item, image_id in zip(items, image_ids, strict=True):
            image, samples = self._prepare([item])
            (target,) = pseudo_targets(self.model, image, samples, pseudo_labels)
            loss = image_loss(self.model, image, target, image_id)
            gradients.append(gradient(loss, params))
        return torch.stack(gradients)

    def detect(
        self, items: Sequence[Item], score_thr: float = 0.05, with_features: bool = False
    ) -> list[InstanceData]:
        """Predict instances, and bring them to the CPU.

        See :meth:`~mmal.adapters.base.DetectorAdapter.detect`.

        Args:
            items: Dataset items.
            score_thr: Lowest score of an instance. Defaults to 0.05.
            with_features: Whether to add ``features`` of shape (n, C). Defaults to False.
        """
        return detect(self.model, self._prepare, items, score_thr, with_features)

    def probabilities(self, items: Sequence[Item], score_thr: float = 0.05) -> list[Tensor]:
        """Predict, for each box, whether its class is there or not.

        Args:
            items: Dataset items.
            score_thr: Lowest score of a box. Defaults to 0.05.

        Returns:
            One tensor per item, of shape (boxes, 2), on the CPU.
        """
        probabilities = []
        for instances in self.detect(items, score_thr):
            p = instances.scores
            probabilities.append(torch.stack([p, 1 - p], 1))
        return probabilities

    def predictions(self, items: Sequence[Item], score_thr: float = 0.3) -> list[list[Prediction]]:
        """Predict boxes in pixels of the images as they were loaded, the most confident first.

        Args:
            items: Dataset items.
            score_thr: Lowest score of a box. Defaults to 0.3.
        """
        instances_by_item = self.detect(items, score_thr)
        predictions = []
        for instances, item in zip(instances_by_item, items, strict=True):
            predictions.append(boxes_in_image(instances, item['data_samples']))
        return predictions

    def features(self, items: Sequence[Item], layers: list[str] | None = None) -> Tensor:
        """Compute one vector per item; see :meth:`~mmal.adapters.base.ModelAdapter.features`.

        Args:
            items: Dataset items.
            layers: Names of modules whose outputs are the features. Defaults to None: the inputs of
                the last layers.
        """
        return self._features.extract(items, layers)

    def _losses_of_one_shape(self, inputs: Tensor, samples: list[DetDataSample]) -> list[Tensor]:
        losses = []
        if self.dense:
            outputs = self.model.bbox_head(self.model.extract_feat(inputs))
            outputs_by_image = unbatch(outputs, len(samples))
            for image_outputs, sample in zip(outputs_by_image, samples, strict=True):
                losses.append(head_loss(self.model, image_outputs, sample))
        else:
            for row, sample in enumerate(samples):
                image = inputs[row : row + 1]
                losses.append(image_loss(self.model, image, sample, sample.img_id))
        return losses

    def _prepare(self, items: list[Item]) -> tuple[Tensor, list[DetDataSample]]:
        return prepare(self.model, items)
