"""The model side of classification."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmal.adapters.base import ImageId, Item, PseudoLabels
from mmal.adapters.batching import batches_by_shape, in_row_order, unbatch
from mmal.adapters.derivatives import Log, derivatives_by_shape, log_to_current_logger
from mmal.adapters.features import Features
from mmal.adapters.model_modes import eval_mode, loss_evaluation_mode, unwrapped
from mmal.adapters.predictions import top_labels
from mmal.annotation.records import Prediction
from mmal.influence.last_layers import find_last_layers
from mmal.influence.method_selection import MethodSelector

from .derivative import ClassifierDerivative
from .head_losses import ClassifierHead
from .linear_factors import find_linear, linear_factors
from .targets import item_targets


class ClassificationAdapter:
    """Model side of classification; see :class:`~mmal.adapters.base.ModelAdapter`.

    Pseudo-labels are chosen by
    :meth:`~mmal.adapters.classification.head_losses.ClassifierHead.pseudo_choices`. Derivatives are
    computed by a :class:`~mmal.adapters.classification.derivative.ClassifierDerivative`, which
    chooses the method.

    Attributes:
        model: The classifier, not wrapped.
        head: Its head's predictions, pseudo-labels and losses.

    Args:
        model: The classifier, wrapped (DDP) or not.
        log: Receives a line whenever the method of derivatives changes. Defaults to None:
            mmengine's current logger.

    Raises:
        InputError: If the model has no head. A head with several outputs is refused when it first
            runs.
    """

    def __init__(self, model: nn.Module, log: Log | None = None) -> None:
        self.model = unwrapped(model)
        self.head = ClassifierHead(self.model)
        self._derivative = ClassifierDerivative(self.head, log or log_to_current_logger)
        self._features = Features(self.model, self._prepare, batched=True)

    @property
    def multi_label(self) -> bool:
        """Whether an image may have several labels."""
        return self.head.multi_label

    @property
    def selector(self) -> MethodSelector:
        """Keeps the method of derivatives."""
        return self._derivative.selector

    @property
    def method(self) -> str | None:
        """Name of the method of derivatives in use; None before the first batch."""
        return self.selector.method

    def loss_mode(self) -> AbstractContextManager[None]:
        """Put the classifier into loss mode.

        See :func:`~mmal.adapters.model_modes.loss_evaluation_mode`.
        """
        return loss_evaluation_mode(self.model)

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
            items: Dataset items; the classifier runs on the first one.
        """
        return self._features.output_layers(items)

    def losses(self, items: Sequence[Item]) -> Tensor:
        """Compute the loss of each item on its own label. Call inside :meth:`loss_mode`.

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

        Args:
            items: Dataset items; their annotations are not used.
            image_ids: Ids of the items' images. They are not used: nothing is random here.
            params: The parameters by name, P values in all.
            direction: s, of shape (P,).
            pseudo_labels: ``top_k`` counts.

        Returns:
            direction . G_z of shape (N,), and the number of pseudo-labels of each item.
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
            image_ids: Ids of the items' images. They are not used: nothing is random here.
            params: The parameters by name, P values in all.
            pseudo_labels: ``top_k`` counts.

        Returns:
            Gradients of shape (N, P).
        """
        gradients: dict[int, Tensor] = {}
        for rows, batch_items in batches_by_shape(items):
            inputs, _ = self._prepare(batch_items)
            feats = self.model.extract_feat(inputs)
            feats_by_image = unbatch(feats, len(rows))
            for row, image_feats in zip(rows, feats_by_image, strict=True):
                choices = self.head.choices_from_features(image_feats, pseudo_labels)
                gradients[row] = self.head.weighted_gradient(image_feats, choices, params)
        return torch.stack(in_row_order(gradients))

    def pseudo_gradient_factors(
        self,
        items: Sequence[Item],
        params: dict[str, nn.Parameter],
        pseudo_labels: PseudoLabels,
    ) -> tuple[Tensor, Tensor] | None:
        """Compute G_z of each item as an outer product; see
        :meth:`~mmal.adapters.base.ClassifierAdapter.pseudo_gradient_factors`.

        Args:
            items: Dataset items; their annotations are not used.
            params: The parameters by name.
            pseudo_labels: ``top_k`` counts.
        """
        layer = find_linear(self.model, params)
        if layer is None:
            return None
        factors: dict[int, tuple[Tensor, Tensor]] = {}
        for rows, batch_items in batches_by_shape(items):
            inputs, _ = self._prepare(batch_items)
            with torch.no_grad():
                feats = self.model.extract_feat(inputs)
            feats_by_image = unbatch(feats, len(rows))
            for row, image_feats in zip(rows, feats_by_image, strict=True):
                image_factors = linear_factors(self.head, layer, image_feats, pseudo_labels)
                if image_factors is None:
                    return None
                factors[row] = image_factors
        slopes, features = zip(*in_row_order(factors), strict=True)
        right = torch.cat(features)
        if layer.bias is not None:
            right = torch.cat([right, right.new_ones(len(right), 1)], 1)
        return torch.cat(slopes).cpu(), right.cpu()

    def probabilities(self, items: Sequence[Item], score_thr: float = 0.05) -> list[Tensor]:
        """Predict distributions over classes.

        Args:
            items: Dataset items.
            score_thr: Not used; it is for detectors.

        Returns:
            One tensor per item, on the CPU: of shape (1, C), over the classes; for several labels
            of shape (C, 2), whether each class is there or not.
        """
        probabilities: dict[int, Tensor] = {}
        with torch.no_grad(), eval_mode(self.model):
            for rows, batch_items in batches_by_shape(items):
                inputs, _ = self._prepare(batch_items)
                scores = self.model(inputs, mode='tensor')
                samples = self.head.predictions(scores)
                # one transfer for the whole batch
                p = torch.stack([sample.pred_score for sample in samples]).cpu()
                for row, image_p in zip(rows, p, strict=True):
                    probabilities[row] = self._distributions(image_p)
        return in_row_order(probabilities)

    def _distributions(self, p: Tensor) -> Tensor:
        """Distributions of one image from the probability of each class, shape (C,)."""
        if self.multi_label:
            return torch.stack([p, 1 - p], 1)
        return p[None]

    def predictions(self, items: Sequence[Item], score_thr: float = 0.3) -> list[list[Prediction]]:
        """Predict the five classes the model is surest of, the most confident first.

        Args:
            items: Dataset items.
            score_thr: Not used; it is for detectors.
        """
        predictions = []
        for distributions in self.probabilities(items):
            p = distributions[:, 0] if self.multi_label else distributions[0]
            predictions.append(top_labels(p))
        return predictions

    def features(self, items: Sequence[Item], layers: list[str] | None = None) -> Tensor:
        """Compute one vector per item; see :meth:`~mmal.adapters.base.ModelAdapter.features`.

        Args:
            items: Dataset items.
            layers: Names of modules whose outputs are the features. Defaults to None: the inputs of
                the last layers.
        """
        return self._features.extract(items, layers)

    def targets(self, items: Sequence[Item]) -> Tensor:
        """Read the classes of annotated items; see
        :meth:`~mmal.adapters.base.ClassifierAdapter.targets`.

        Args:
            items: Annotated dataset items.
        """
        return item_targets(items, self.model.head.num_classes)

    def _losses_of_one_shape(self, inputs: Tensor, samples: list[DataSample]) -> list[Tensor]:
        feats = self.model.extract_feat(inputs)
        if self.head.loss_of_scores:
            return self.head.losses_from_scores(self.head.scores(feats), samples)
        losses = []
        feats_by_image = unbatch(feats, len(samples))
        for image_feats, sample in zip(feats_by_image, samples, strict=True):
            losses.append(self.head.loss(image_feats, [sample]))
        return losses

    def _prepare(self, items: list[Item]) -> tuple[Tensor, list[DataSample]]:
        return self.head.prepare(items)
