"""Directional derivatives of classifiers by the fastest method that is right."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from mmal.adapters.batching import to_channels_last_on_cpu
from mmal.adapters.derivatives import (
    MAX_CHECKED_BATCHES,
    MAX_DIFFERENCES,
    DerivativeBatch,
    DerivativeMethod,
    Derivatives,
    Log,
    selection_logger,
)
from mmal.influence.directional_derivative import output_derivative, outputs_and_tangents
from mmal.influence.method_selection import MethodSelector, Reference, is_informative
from mmal.influence.parameters import gradient, unflatten

from .head_losses import ClassifierHead, total

FORWARD_MATH_ATTENTION = 'forward, attention not fused'


class ClassifierDerivative:
    """Computes derivatives by one of three methods, checked against plain autograd.

    * ``forward`` runs the model once per batch by forward-mode AD. It costs next to nothing more
      than inference if the parameters are the last layer's.
    * ``forward, attention not fused`` is the same with attention as matrix products; fused
      attention has no forward derivative.
    * ``backward`` makes a backward pass per image; any head.

    The method is chosen on the first batch. While the images show nothing (a slope is zero or not
    finite), or a method has given other values on one batch alone, the check is repeated on the
    next batch, :data:`MAX_CHECKED_BATCHES` times at most.

    Attributes:
        selector: Keeps the method in use.

    Args:
        head: The classifier's head.
        log: Receives a line whenever the method changes.
    """

    def __init__(self, head: ClassifierHead, log: Log) -> None:
        self._head = head
        self._model = head.model
        self._methods: dict[str, DerivativeMethod] = {
            'forward': self._by_forward,
            FORWARD_MATH_ATTENTION: partial(self._by_forward, plain_attention=True),
            'backward': self._by_backward,
        }
        self.selector = MethodSelector(
            selection_logger(log),
            fallback='backward',
            errors=(NotImplementedError, RuntimeError),
            max_checks=MAX_CHECKED_BATCHES,
            max_differences=MAX_DIFFERENCES,
        )

    def compute(self, batch: DerivativeBatch) -> Derivatives:
        """Compute the derivatives of a batch.

        Args:
            batch: The batch. Its image ids are not used: nothing is random here.
        """
        if not self.selector.settled:
            self._select_method(batch.first(2))
        assert self.selector.method is not None
        return self._methods[self.selector.method](batch)

    def _select_method(self, batch: DerivativeBatch) -> None:
        """Compare the forward methods with plain autograd on one or two images."""
        if not self._head.loss_of_scores:
            self.selector.settle('backward', 'the head has a loss of its own')
            return
        trials: dict[str, Callable[[], Tensor]] = {
            'forward': lambda: self._by_forward(batch)[0],
            FORWARD_MATH_ATTENTION: lambda: self._by_forward(batch, plain_attention=True)[0],
        }
        self.selector.select(trials, self._reference(batch), batch.direction)

    def _reference(self, batch: DerivativeBatch) -> Reference:
        """Plain gradients of each image's weighted loss."""
        gradients = {}
        for row in range(len(batch.inputs)):
            feats = self._model.extract_feat(batch.image(row))
            choices = self._head.choices_from_features(feats, batch.pseudo_labels)
            gradients[row] = self._head.weighted_gradient(feats, choices, batch.params)
        informative = all(map(is_informative, gradients.values()))
        return Reference(gradients, informative)

    def _by_forward(self, batch: DerivativeBatch, plain_attention: bool = False) -> Derivatives:
        """One forward pass with tangents, then the slope of the loss in the scores."""
        scores, score_tangents = outputs_and_tangents(
            self._model,
            (to_channels_last_on_cpu(batch.inputs),),
            unflatten(batch.direction, batch.params),
            plain_attention,
        )
        choices = self._head.pseudo_choices(scores, batch.pseudo_labels)
        values = batch.direction.new_zeros(len(batch.inputs))
        for choice in choices:
            losses = partial(self._head.summed_loss, samples=choice.samples)
            slopes = output_derivative(losses, scores, score_tangents)
            values += choice.weights * slopes
        return values, self._head.count_labels(choices)

    def _by_backward(self, batch: DerivativeBatch) -> Derivatives:
        """The head's own loss and plain autograd, image by image."""
        values = []
        counts = []
        for row in range(len(batch.inputs)):
            feats = self._model.extract_feat(batch.image(row))
            choices = self._head.choices_from_features(feats, batch.pseudo_labels)
            slopes = []
            for weight, loss in self._head.weighted_losses(feats, choices):
                loss_gradient = gradient(loss, batch.params, retain_graph=True)
                slopes.append(weight * (loss_gradient @ batch.direction))
            values.append(total(slopes))
            counts += self._head.count_labels(choices)
        return torch.stack(values), counts
