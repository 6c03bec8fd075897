"""Features of images: inputs of a model's last layers, or outputs of modules the user names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

from mmal.errors import InputError
from mmal.influence.last_layers import find_last_layers

from .batching import group_by_shape, in_row_order, to_channels_last_on_cpu
from .model_modes import eval_mode

Record: TypeAlias = dict[str, list[Tensor]]
"""Tensors that left, or entered, some modules, by module name."""

Prepare: TypeAlias = Callable[[list[Any]], tuple[Any, Any]]
"""Makes inputs and data samples of dataset items of one shape."""


@contextmanager
def recorded(
    model: nn.Module, names: list[str], inputs: bool = False, graph: bool = False
) -> Iterator[Record]:
    """Record the tensors that leave, or enter, some modules of a model while it runs.

    Args:
        model: The model.
        names: Full names of the modules.
        inputs: Whether to record the modules' positional inputs in place of their outputs. Defaults
            to False.
        graph: Whether the tensors keep their graph. Defaults to False.

    Yields:
        The tensors by module name, in the order they come. Those of a linear layer have shape
        (N, tokens, C), whatever their number of dimensions was.

    Raises:
        InputError: If the model has no module of such a name.
    """
    modules = dict(model.named_modules())
    for name in names:
        if name not in modules:
            children = ', '.join(child for child, _ in model.named_children())
            raise InputError(
                f'`layers`: {type(model).__name__} has no module {name!r}. Its children are '
                f'{children}.'
            )
    record: Record = {name: [] for name in names}

    def recorder(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            for tensor in tree_flatten(args if inputs else output)[0]:
                if not isinstance(tensor, Tensor):
                    continue
                # a linear layer has its channels last, however many dimensions there are
                if isinstance(module, nn.Linear):
                    channels = tensor.shape[-1]
                    tensor = tensor.reshape(len(tensor), -1, channels)
                if not graph:
                    tensor = tensor.detach()
                record[name].append(tensor)

        return hook

    handles = []
    for name in names:
        handle = modules[name].register_forward_hook(recorder(name))
        handles.append(handle)
    try:
        yield record
    finally:
        for handle in handles:
            handle.remove()


def pooled(record: Record, n: int, over_uses: bool = False) -> Tensor:
    """Make one vector per image: average every tensor over space, then concatenate.

    Args:
        record: Tensors by module name, see :func:`recorded`: maps of shape (N, C, H, W), or tensors
            with the channels last. A tensor that two modules share counts once.
        n: Number of images, which are in dimension 0 of every tensor. Other dimensions, boxes or
            tokens, are averaged.
        over_uses: Whether the tensors of one module are averaged, too: a detector's head is used
            once per pyramid level. Defaults to False.

    Returns:
        One vector per image, of shape (n, D).
    """
    parts: list[Tensor] = []
    known: set[tuple[int, torch.Size]] = set()
    for tensors in record.values():
        means = []
        own = set()
        for tensor in tensors:
            identity = (tensor.data_ptr(), tensor.shape)
            own.add(identity)
            if identity not in known:
                means.append(_mean_per_image(tensor, n))
        known |= own
        if over_uses and means:
            parts.append(torch.stack(means).mean(0))
        else:
            parts += means
    return torch.cat(parts, 1)


def _mean_per_image(tensor: Tensor, n: int) -> Tensor:
    """Mean over everything but images and channels, of shape (n, C)."""
    if tensor.dim() == 4:
        tensor = tensor.flatten(2).mean(2)
    channels = tensor.shape[-1]
    return tensor.reshape(n, -1, channels).mean(1)


class Features:
    """Reads features off a model while its public ``forward`` runs in mode 'tensor'.

    Args:
        model: The model, not wrapped.
        prepare: Makes inputs and data samples of dataset items of one shape.
        batched: Whether images may go through the model in batches, that is, whether every output
            has the images in dimension 0.
        mode: Makes the context in which the model runs, from the model. Defaults to
            :func:`~mmal.adapters.model_modes.eval_mode`.
    """

    def __init__(
        self,
        model: nn.Module,
        prepare: Prepare,
        batched: bool,
        mode: Callable[[nn.Module], AbstractContextManager[None]] = eval_mode,
    ) -> None:
        self._model = model
        self._prepare = prepare
        self._batched = batched
        self._mode = mode
        self._output_layers: list[str] | None = None

    def output_layers(self, items: Sequence[Any]) -> list[str]:
        """Find the layers that make the raw outputs, once.

        Args:
            items: Dataset items; the model runs on the first one. No annotation is needed.

        Returns:
            Names of the layers' parameters.
        """
        if self._output_layers is None:
            with torch.enable_grad(), self._mode(self._model):
                self._output_layers = find_last_layers(
                    self._model, lambda: self._sum_of_outputs(items[:1])
                )
        return self._output_layers

    def extract(self, items: Sequence[Any], layers: list[str] | None = None) -> Tensor:
        """Compute one vector per item; see :meth:`~mmal.adapters.base.ModelAdapter.features`.

        Args:
            items: Dataset items.
            layers: Names of modules whose outputs are the features. Defaults to None: the inputs of
                the output layers.

        Returns:
            Features of shape (N, D).
        """
        of_inputs = layers is None
        names = layers or _modules_of(self.output_layers(items))
        groups = [[row] for row in range(len(items))]
        if self._batched:
            groups = group_by_shape(items)
        vectors: dict[int, Tensor] = {}
        with torch.no_grad(), self._mode(self._model):
            for group in groups:
                with recorded(self._model, names, inputs=of_inputs) as record:
                    self._forward([items[row] for row in group])
                group_vectors = pooled(record, len(group), of_inputs)
                vectors.update(zip(group, group_vectors, strict=True))
        return torch.stack(in_row_order(vectors))

    def _sum_of_outputs(self, items: Sequence[Any]) -> Tensor:
        total: Any = 0
        for leaf in tree_flatten(self._forward(items))[0]:
            if isinstance(leaf, Tensor) and leaf.requires_grad:
                total = total + leaf.float().sum()
        sum_of_outputs: Tensor = total
        return sum_of_outputs

    def _forward(self, items: Sequence[Any]) -> Any:
        inputs, samples = self._prepare(list(items))
        return self._model(to_channels_last_on_cpu(inputs), samples, mode='tensor')


def _modules_of(parameters: list[str]) -> list[str]:
    """Names of the modules that own some parameters, each once."""
    names = [name.rpartition('.')[0] for name in parameters]
    return list(dict.fromkeys(names))
