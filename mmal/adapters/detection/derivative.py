"""Directional derivatives of detectors by the fastest method that is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from mmal.adapters.derivatives import (
    MAX_CHECKED_BATCHES,
    MAX_DIFFERENCES,
    DerivativeBatch,
    DerivativeMethod,
    Derivatives,
    Log,
    selection_logger,
)
from mmal.influence.affine import NotAffine
from mmal.influence.method_selection import MethodSelector, Reference, is_informative
from mmal.influence.parameters import gradient

from .backward import BackwardMethod
from .dense_head import DenseHeadMethod
from .losses import image_loss, pseudo_targets
from .shared_features import SharedFeaturesMethod, shares_features


class DetectorDerivative:
    """Computes derivatives by one of three methods, checked against plain autograd.

    * ``dense``: an ordinary single-stage head runs once per batch, shared by pseudo-boxes and loss;
    * ``shared``: the public ``predict`` and ``loss``, image by image, on features computed once per
      batch;
    * ``backward``: the public ``predict`` and ``loss`` and a backward pass per image; any
      parameters.

    The method is chosen on the first batch. While the images show little (no pseudo-box, no finite
    slope), or a method has given other values on one batch alone, the check is repeated on the next
    batch, :data:`MAX_CHECKED_BATCHES` times at most.

    Attributes:
        selector: Keeps the method in use.

    Args:
        model: The detector, not wrapped.
        dense: Whether the detector has a dense head, see
            :func:`~mmal.adapters.detection.dense_head.has_dense_head`.
        log: Receives a line whenever the method changes.
    """

    def __init__(self, model: Any, dense: bool, log: Log) -> None:
        self._model = model
        self._methods: dict[str, DerivativeMethod] = {}
        if dense:
            self._methods['dense'] = DenseHeadMethod(model)
        self._methods['shared'] = SharedFeaturesMethod(model)
        self._methods['backward'] = BackwardMethod(model)
        self.selector = MethodSelector(
            selection_logger(log),
            fallback='backward',
            errors=(NotAffine, NotImplementedError),
            max_checks=MAX_CHECKED_BATCHES,
            max_differences=MAX_DIFFERENCES,
        )

    def compute(self, batch: DerivativeBatch) -> Derivatives:
        """Compute the derivatives of a batch.

        An image without a confident prediction has the loss of an image of background.

        Args:
            batch: The batch.
        """
        if not self.selector.settled:
            self._select_method(batch.first(2))
        assert self.selector.method is not None
        return self._methods[self.selector.method](batch)

    def _select_method(self, batch: DerivativeBatch) -> None:
        """Compare the methods with plain autograd on one or two images."""
        if not shares_features(batch.params):
            self.selector.settle('backward', 'some parameters lie in the backbone or neck')
            return
        trials: dict[str, Callable[[], Tensor]] = {}
        if 'dense' in self._methods:
            trials['dense'] = lambda: self._methods['dense'](batch)[0]
        # one image: other rounding errors in a batch may give other proposals
        trials['shared'] = lambda: self._methods['shared'](batch.first(1))[0]
        self.selector.select(trials, self._reference(batch), batch.direction)

    def _reference(self, batch: DerivativeBatch) -> Reference:
        """Plain gradients of each image's loss on the boxes predicted for it alone."""
        gradients = {}
        informative = False
        targets = []
        for row, sample in enumerate(batch.samples):
            image = batch.image(row)
            targets += pseudo_targets(self._model, image, [sample], batch.pseudo_labels)
        for row, target in enumerate(targets):
            image_id = batch.image_ids[row]
            loss = image_loss(self._model, batch.image(row), target, image_id)
            gradients[row] = gradient(loss, batch.params)
            if len(target.gt_instances) and is_informative(gradients[row]):
                informative = True
        return Reference(gradients, informative)
