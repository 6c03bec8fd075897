"""What an influence is made of: the part of each layer, and of each class."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from mmal.adapters.base import PseudoLabels
from mmal.influence.parameters import flatten, restrict_grad, unflatten

MAX_GRADIENT_VALUES = 2**24
"""Values of gradients that are held at one time."""

MAX_CLASSES = 20
"""Classes kept of an image: those with the largest parts."""


class InfluenceAttribution:
    """Splits I(z) = -s_test . G_z: the dot product is a sum over parameters, and so over layers.

    Of a layer that has rows for each class (see :func:`class_of_rows`) the rows' parts are the classes'. As of
    influences, *more negative is more helpful*.

    Args:
        task: Model side of the task.
        s_test: A tensor a parameter.
        rule: Of the pseudo-labels that G_z is taken on.
        classes: Their names.
    """

    def __init__(
        self, task, s_test: dict[str, Tensor], rule: PseudoLabels, classes: Sequence[str]
    ) -> None:
        parameters = dict(task.model.named_parameters())
        self._task, self._s_test, self._rule, self._classes = task, s_test, rule, list(classes)
        self._params = {name: parameters[name] for name in s_test}
        self._rows: dict[str, list[int]] | None = None

    def attribute(self, items: list, keys: list) -> list[dict | None]:
        """``{'layers': {name: part}, 'classes': {name: part}}`` of each item; None where a part is not finite."""
        if self._rows is None:
            self._rows = self._class_rows(items)
        s, found = flatten(self._s_test), []
        size = max(1, MAX_GRADIENT_VALUES // len(s))
        with self._task.loss_mode(), restrict_grad(self._task.model, self._params):
            for k in range(0, len(items), size):
                gradients = self._task.pseudo_gradients(
                    items[k : k + size], keys[k : k + size], self._params, self._rule
                )
                found += [self._split(unflatten(-g * s, self._params)) for g in gradients.detach()]
        return found

    def _class_rows(self, items: list) -> dict[str, list[int]]:
        """Class of each row, of the parameters that have rows for classes."""
        outputs, boxes = set(self._task.output_layers(items[:1])), hasattr(self._task, 'detect')
        found = {
            name: class_of_rows(name, len(p), len(self._classes), boxes)
            for name, p in self._params.items()
            if name in outputs and p.dim()
        }
        return {name: rows for name, rows in found.items() if rows}

    def _split(self, products: dict[str, Tensor]) -> dict | None:
        layers: dict[str, float] = {}
        classes = dict.fromkeys([*self._classes, 'background'], 0.0)
        for name, product in products.items():
            layer = name.rpartition('.')[0] or name
            layers[layer] = layers.get(layer, 0.0) + float(product.sum())
            for number, part in zip(
                self._rows.get(name, ()),
                product.flatten(1).sum(1).tolist() if product.dim() > 1 else product.tolist(),
                strict=False,
            ):
                classes[[*self._classes, 'background'][number]] += part
        if not all(map(math.isfinite, layers.values())):
            return None
        largest = sorted(
            (n for n, part in classes.items() if part), key=lambda n: -abs(classes[n])
        )[:MAX_CLASSES]
        return dict(
            layers={n: _short(part) for n, part in layers.items()},
            classes={n: _short(classes[n]) for n in largest},
        )


def class_of_rows(name: str, rows: int, classes: int, boxes: bool) -> list[int]:
    """The class that each row of an output layer's parameter belongs to; ``classes`` itself stands for background.

    The host libraries lay outputs out as (anchors, classes), or as the classes and background. Outputs of boxes and
    objectness may be as many by chance, so of a detector only layers called ``...cls...`` count, and none of an RPN,
    whose outputs know no class. Where that tells nothing, and where there is one class only, the list is empty.

    Args:
        name: Of the parameter.
        rows: Size of its dimension 0.
        classes: How many there are.
        boxes: Whether it is of a detector.
    """
    if classes < 2 or (boxes and ('cls' not in name or 'rpn' in name)):
        return []
    if rows == classes + 1:
        return list(range(rows))
    return [row % classes for row in range(rows)] if rows % classes == 0 else []


def _short(value: float) -> float:
    """Seven digits, about what a float32 has."""
    return float(f'{value:.7g}')
