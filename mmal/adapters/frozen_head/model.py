"""The model side of a refitted last layer on frozen features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmal.adapters.base import ImageId, PseudoLabels
from mmal.adapters.predictions import top_labels
from mmal.annotation.records import Prediction

from .logistic_regression import LogisticRegression

Embed: TypeAlias = Callable[[Sequence[Any]], Tensor]
"""Gives frozen features of dataset items, shape (N, d), centred and scaled."""

Targets: TypeAlias = Callable[[Sequence[Any]], Tensor]
"""Gives the classes of annotated dataset items: 1 where an item has a class, shape (N, C)."""


class FrozenHead(nn.Module):
    """The linear layer alone.

    Args:
        layer: The fitted layer.
    """

    def __init__(self, layer: LogisticRegression) -> None:
        super().__init__()
        n_classes, n_features = layer.weight.shape
        self.fc = nn.Linear(n_features, n_classes)
        with torch.no_grad():
            self.fc.weight.copy_(torch.from_numpy(layer.weight))
            self.fc.bias.copy_(torch.from_numpy(layer.bias))

    def forward(self, features: Tensor) -> Tensor:
        """Compute outputs of shape (N, C) of features of shape (N, d)."""
        outputs: Tensor = self.fc(features)
        return outputs


class FrozenHeadAdapter:
    r"""Losses, pseudo-labels and features of a last layer that was refitted on frozen features.

    It is a :class:`~mmal.adapters.base.ModelAdapter` and a
    :class:`~mmal.adapters.base.FittedHead`. All is in closed form: with p the softmax of the
    outputs, the gradient of the loss with class k is :math:`(p - e_k) x^T`. For several classes an
    image, p is the sigmoid and the pseudo-labels are all classes with p above a half.

    Losses and their gradients are those that the layer was fitted with; :attr:`temperature` is in
    the probabilities alone.

    Attributes:
        model: The layer, ``fc``.
        l2: Strength of the penalty beside the *sum* of the labeled losses.
        temperature: Temperature of the probabilities.
        multi_label: Whether an image may have several classes.

    Args:
        layer: The fitted layer.
        embed: Gives the features of dataset items.
        targets: Gives the classes of annotated dataset items.
    """

    def __init__(self, layer: LogisticRegression, embed: Embed, targets: Targets) -> None:
        self.model: nn.Module = FrozenHead(layer)
        self.l2 = layer.l2
        self.temperature = layer.temperature
        self.multi_label = layer.several_labels
        self._embed = embed
        self._targets = targets

    def loss_mode(self) -> AbstractContextManager[None]:
        """Do nothing: a linear layer has no modes."""
        return nullcontext()

    def last_layers(self, items: Sequence[Any]) -> list[str]:
        """Name the layer's parameters.

        Args:
            items: Not used.
        """
        return list(dict(self.model.named_parameters()))

    def output_layers(self, items: Sequence[Any]) -> list[str]:
        """Name the layer's parameters.

        Args:
            items: Not used.
        """
        return self.last_layers(items)

    def losses(self, items: Sequence[Any]) -> Tensor:
        """Compute the loss of each item on its own classes.

        Args:
            items: Annotated dataset items.

        Returns:
            Losses of shape (N,) with a graph.
        """
        outputs = self.model(self._embed(items))
        targets = self._targets(items).to(outputs)
        if self.multi_label:
            binary = F.binary_cross_entropy_with_logits(outputs, targets, reduction='none')
            return binary.sum(1)
        return F.cross_entropy(outputs, targets, reduction='none')

    def pseudo_derivative(
        self,
        items: Sequence[Any],
        image_ids: Sequence[ImageId],
        params: dict[str, nn.Parameter],
        direction: Tensor,
        pseudo_labels: PseudoLabels,
    ) -> tuple[Tensor, list[int]]:
        r"""Compute Algorithm 1 without its sign: :math:`(p - y)^T (S x + t)`.

        S and t are the parts of the direction that belong to weight and bias, and y is the
        pseudo-label, or for K > 1 the K most confident classes weighted by their confidence.

        Args:
            items: Dataset items; their annotations are not used.
            image_ids: Not used: nothing is random here.
            params: ``fc.weight``, ``fc.bias`` or both, P values in all.
            direction: s, of shape (P,).
            pseudo_labels: ``top_k`` counts.

        Returns:
            direction . G_z of shape (N,), and the number of pseudo-labels of each item.
        """
        features = self._embed(items)
        slopes, counts = self._output_gradients(features, pseudo_labels)
        tangents = features.new_zeros(slopes.shape)
        start = 0
        for name, parameter in params.items():
            part = direction[start : start + parameter.numel()].reshape(parameter.shape)
            start += parameter.numel()
            of_weight = name == 'fc.weight'
            tangents = tangents + (features @ part.T if of_weight else part)
        return (slopes * tangents).sum(1), counts

    def pseudo_gradients(
        self,
        items: Sequence[Any],
        image_ids: Sequence[ImageId],
        params: dict[str, nn.Parameter],
        pseudo_labels: PseudoLabels,
    ) -> Tensor:
        """Compute G_z of each item.

        Args:
            items: Dataset items; their annotations are not used.
            image_ids: Not used: nothing is random here.
            params: ``fc.weight``, ``fc.bias`` or both, P values in all.
            pseudo_labels: ``top_k`` counts.

        Returns:
            Gradients of shape (N, P).
        """
        features = self._embed(items)
        slopes, _ = self._output_gradients(features, pseudo_labels)
        parts = []
        for name in params:
            if name == 'fc.weight':
                outer = slopes[:, :, None] * features[:, None, :]
                parts.append(outer.flatten(1))
            else:
                parts.append(slopes)
        return torch.cat(parts, 1)

    def pseudo_gradient_factors(
        self,
        items: Sequence[Any],
        params: dict[str, nn.Parameter],
        pseudo_labels: PseudoLabels,
    ) -> tuple[Tensor, Tensor] | None:
        """Compute G_z of each item as an outer product; see
        :meth:`~mmal.adapters.base.ClassifierAdapter.pseudo_gradient_factors`.

        Args:
            items: Dataset items; their annotations are not used.
            params: ``fc.weight``, or it and ``fc.bias``.
            pseudo_labels: ``top_k`` counts.

        Returns:
            Slopes of shape (N, C), and features of shape (N, d), or (N, d + 1) with the bias; None
            for the bias alone.
        """
        if 'fc.weight' not in params:
            return None
        features = self._embed(items)
        slopes, _ = self._output_gradients(features, pseudo_labels)
        if 'fc.bias' in params:
            features = torch.cat([features, features.new_ones(len(features), 1)], 1)
        return slopes, features

    def _output_gradients(
        self, features: Tensor, pseudo_labels: PseudoLabels
    ) -> tuple[Tensor, list[int]]:
        """Gradients of the pseudo-losses in the outputs, shape (N, C), and numbers of labels."""
        with torch.no_grad():
            outputs = self.model(features)
        if self.multi_label:
            p = outputs.sigmoid()
            labels = (p > 0.5).to(p)
            counts: list[int] = labels.sum(1).long().tolist()
            return p - labels, counts
        p = outputs.softmax(1)
        k = min(pseudo_labels.top_k, p.shape[1])
        top_p, top_classes = p.topk(k, 1)
        weights = torch.ones_like(top_p) if pseudo_labels.top_k == 1 else top_p
        labels = torch.zeros_like(p).scatter_(1, top_classes, weights)
        return p * weights.sum(1, keepdim=True) - labels, [k] * len(p)

    def probabilities(self, items: Sequence[Any], score_thr: float = 0.05) -> list[Tensor]:
        """Predict distributions over classes, at the temperature.

        Args:
            items: Dataset items.
            score_thr: Not used; it is for detectors.

        Returns:
            One tensor per item, on the CPU: of shape (1, C), over the classes; for several labels
            of shape (C, 2), whether each class is there or not.
        """
        with torch.no_grad():
            outputs = self.model(self._embed(items)) / self.temperature
        if self.multi_label:
            p = outputs.sigmoid().cpu()
            return list(torch.stack([p, 1 - p], 2))
        return list(outputs.softmax(1).cpu()[:, None])

    def predictions(self, items: Sequence[Any], score_thr: float = 0.3) -> list[list[Prediction]]:
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

    def targets(self, items: Sequence[Any]) -> Tensor:
        """Read the classes of annotated items.

        Args:
            items: Annotated dataset items.

        Returns:
            1 where an item has a class and 0 elsewhere, shape (N, C).
        """
        return self._targets(items)

    def features(self, items: Sequence[Any], layers: list[str] | None = None) -> Tensor:
        """Return the frozen features.

        Args:
            items: Dataset items.
            layers: Not used: the frozen features are all that there is.

        Returns:
            Features of shape (N, d).
        """
        return self._embed(items)
