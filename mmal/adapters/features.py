"""Features of images: what goes into a model's last layers, or comes out of modules named by the user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from mmal.errors import InputError
from mmal.influence.last_layers import find_last_layers

from .model_modes import eval_mode, group_by_shape, to_channels_last_on_cpu


def _has_graph(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.requires_grad


@contextmanager
def recorded(
    model: nn.Module, names: list[str], inputs: bool = False, graph: bool = False
) -> Iterator[dict[str, list[Tensor]]]:
    """Every tensor that comes out of the named modules inside the context (or goes in), by name, with its graph or not.

    Raises:
        InputError: If there is no such module.
    """
    modules, seen = dict(model.named_modules()), {name: [] for name in names}
    for name in names:
        if name not in modules:
            raise InputError(
                f'`layers`: {type(model).__name__} has no module {name!r}. Its children are '
                f'{", ".join(n for n, _ in model.named_children())}.'
            )

    def remember(name: str):
        def hook(module, args, out):
            found = [t for t in tree_leaves(args if inputs else out) if isinstance(t, Tensor)]
            if isinstance(
                module, nn.Linear
            ):  # its channels are last, however many dimensions there are
                found = [t.reshape(len(t), -1, t.shape[-1]) for t in found]
            seen[name] += found if graph else [t.detach() for t in found]

        return hook

    handles = [modules[name].register_forward_hook(remember(name)) for name in names]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def pooled(seen: dict[str, list[Tensor]], n: int, over_uses: bool = False) -> Tensor:
    """One vector an image: every tensor averaged over space, then concatenated.

    Args:
        seen: From :func:`recorded`: maps of shape (N, C, H, W), or tensors with the channels last. The same tensor in
            two modules counts once.
        n: Images, in dimension 0 of every tensor; what else there is, boxes or tokens, is averaged.
        over_uses: Average the tensors of a module, too: a detector's head is used once a pyramid level.

    Returns:
        Shape (n, D).
    """
    parts, known = [], set()
    for tensors in seen.values():
        fresh = [t for t in tensors if (t.data_ptr(), t.shape) not in known]
        known |= {(t.data_ptr(), t.shape) for t in fresh}
        over_space = [t.flatten(2).mean(2) if t.dim() == 4 else t for t in fresh]
        means = [t.reshape(n, -1, t.shape[-1]).mean(1) for t in over_space]
        parts += [torch.stack(means).mean(0)] if over_uses and means else means
    return torch.cat(parts, 1)


class Features:
    """Reads features off a model; its public forward in mode 'tensor' is what runs.

    Args:
        model: The model, not wrapped.
        prepare: Makes inputs and data samples of dataset items of one shape.
        together: Whether images may go through in batches, with the images in dimension 0 of every output.
        mode: Context in which the model runs, made of the model.
    """

    def __init__(
        self,
        model: nn.Module,
        prepare: Callable[[list], tuple],
        together: bool,
        mode: Callable[[nn.Module], AbstractContextManager] = eval_mode,
    ) -> None:
        self._model, self._prepare, self._together, self._mode = model, prepare, together, mode
        self._names: list[str] | None = None

    def output_layers(self, items: list) -> list[str]:
        """Names of the parameters of the layers that make the raw outputs."""
        if self._names is None:

            def outputs() -> Tensor:
                return sum(
                    t.float().sum() for t in tree_leaves(self._forward(items[:1])) if _has_graph(t)
                )

            with torch.enable_grad(), self._mode(self._model):
                self._names = find_last_layers(self._model, outputs)
        return self._names

    def extract(self, items: list, layers: list[str] | None = None) -> Tensor:
        """One vector an item, shape (N, D); see :class:`~mmal.adapters.base.ModelAdapter`."""
        names = layers or list(
            dict.fromkeys(n.rpartition('.')[0] for n in self.output_layers(items))
        )
        found: list[Tensor] = [None] * len(items)
        groups = group_by_shape(items) if self._together else [[i] for i in range(len(items))]
        with torch.no_grad(), self._mode(self._model):
            for group in groups:
                with recorded(self._model, names, inputs=layers is None) as seen:
                    self._forward([items[i] for i in group])
                for i, row in zip(group, pooled(seen, len(group), layers is None), strict=True):
                    found[i] = row
        return torch.stack(found)

    def _forward(self, items: list) -> Any:
        inputs, samples = self._prepare(items)
        return self._model(to_channels_last_on_cpu(inputs), samples, mode='tensor')
