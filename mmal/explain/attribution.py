"""What an influence is made of: the part of each layer, and of each class."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypedDict

from torch import Tensor

from mmal.adapters.base import DetectorAdapter, ModelAdapter, PseudoLabels
from mmal.influence.parameters import flatten, restrict_grad, unflatten
from mmal.samplers.base import ImageIds

MAX_GRADIENT_VALUES = 2**24
"""Number of values of gradients that are held at one time."""

MAX_CLASSES = 20
"""Number of classes kept of an image: those with the largest parts."""


ClassRows: TypeAlias = dict[str, list[int]]
"""Index of the class of each row, by name of the parameter."""


class InfluenceParts(TypedDict):
    """Parts of an image's influence. As of influences, *more negative is more helpful*.

    Attributes:
        layers: Part by name of the layer. They add up to the influence.
        classes: Part by name of the class, the largest parts first, at most :data:`MAX_CLASSES`.
    """

    layers: dict[str, float]
    classes: dict[str, float]


class InfluenceAttribution:
    """Splits I(z) = -s_test . G_z: the dot product is a sum over parameters, and so over layers.

    In a layer that has rows for each class (see :func:`class_of_rows`) the rows' parts are the
    classes'.

    Args:
        adapter: Adapter of the model.
        s_test: One tensor per parameter, by name.
        rule: Which pseudo-labels G_z is taken on.
        classes: Names of the classes.
    """

    def __init__(
        self,
        adapter: ModelAdapter,
        s_test: dict[str, Tensor],
        rule: PseudoLabels,
        classes: Sequence[str],
    ) -> None:
        parameters = dict(adapter.model.named_parameters())
        self._adapter = adapter
        self._s_test = s_test
        self._rule = rule
        self._classes = list(classes)
        self._params = {name: parameters[name] for name in s_test}
        self._class_of_row: ClassRows | None = None

    def attribute(self, items: list[Any], image_ids: ImageIds) -> list[InfluenceParts | None]:
        """Split the influence of each item.

        Args:
            items: Dataset items of unlabeled images, at least one.
            image_ids: Ids of the images.

        Returns:
            The parts of each item; None where a part is not finite.
        """
        if self._class_of_row is None:
            self._class_of_row = self._find_class_rows(items)
        direction = flatten(self._s_test)
        size = max(1, MAX_GRADIENT_VALUES // len(direction))
        adapter = self._adapter
        parts: list[InfluenceParts | None] = []
        with adapter.loss_mode(), restrict_grad(adapter.model, self._params):
            for start in range(0, len(items), size):
                chunk = slice(start, start + size)
                gradients = adapter.pseudo_gradients(
                    items[chunk], image_ids[chunk], self._params, self._rule
                )
                # one transfer for all of them
                products_by_item = (-gradients.detach() * direction).cpu()
                for item_products in products_by_item:
                    products = unflatten(item_products, self._params)
                    parts.append(self._split(products, self._class_of_row))
        return parts

    def _find_class_rows(self, items: list[Any]) -> ClassRows:
        """Class of each row, of the parameters that have rows for classes."""
        output_layers = set(self._adapter.output_layers(items[:1]))
        is_detector = isinstance(self._adapter, DetectorAdapter)
        n_classes = len(self._classes)
        rows_by_name = {}
        for name, parameter in self._params.items():
            if name not in output_layers or not parameter.dim():
                continue
            rows = class_of_rows(name, len(parameter), n_classes, is_detector)
            if rows:
                rows_by_name[name] = rows
        return rows_by_name

    def _split(
        self, products: Mapping[str, Tensor], class_of_row: ClassRows
    ) -> InfluenceParts | None:
        """Sum products of the elements of -s_test and G_z by layer and by class."""
        layers: dict[str, float] = defaultdict(float)
        class_names = [*self._classes, 'background']
        classes = dict.fromkeys(class_names, 0.0)
        for name, product in products.items():
            layer = name.rpartition('.')[0] or name
            layers[layer] += float(product.sum())
            if name not in class_of_row:
                continue
            row_sums = _row_sums(product).tolist()
            for class_index, part in zip(class_of_row[name], row_sums, strict=True):
                classes[class_names[class_index]] += part
        if not all(map(math.isfinite, layers.values())):
            return None
        return InfluenceParts(layers=_rounded(layers), classes=_rounded(_largest(classes)))


def _row_sums(product: Tensor) -> Tensor:
    """Sum over all dimensions but the first."""
    if product.dim() == 1:
        return product
    return product.flatten(1).sum(1)


def _largest(parts: Mapping[str, float]) -> dict[str, float]:
    """The largest parts that are not zero, the largest first."""
    names = [name for name, part in parts.items() if part]
    names.sort(key=lambda name: -abs(parts[name]))
    return {name: parts[name] for name in names[:MAX_CLASSES]}


def _rounded(parts: Mapping[str, float]) -> dict[str, float]:
    """Seven digits of each part, about what a float32 has."""
    rounded = {}
    for name, part in parts.items():
        rounded[name] = float(f'{part:.7g}')
    return rounded


def class_of_rows(name: str, rows: int, classes: int, boxes: bool) -> list[int]:
    """Find the class that each row of an output layer's parameter belongs to.

    The host libraries lay outputs out as (anchors, classes), or as the classes and background.
    Outputs of boxes and objectness may be as many by chance. Of a detector, therefore, only layers
    called ``...cls...`` count, and none of an RPN, whose outputs know no class.

    Args:
        name: Name of the parameter.
        rows: Size of its dimension 0.
        classes: Number of classes.
        boxes: Whether the model is a detector.

    Returns:
        Index of the class of each row; ``classes`` itself stands for background. The list is empty
        where the rows cannot be told apart, and where there is one class only.
    """
    if classes < 2:
        return []
    if boxes and ('cls' not in name or 'rpn' in name):
        return []
    if rows == classes + 1:
        return list(range(rows))
    if rows % classes == 0:
        return list(range(classes)) * (rows // classes)
    return []
