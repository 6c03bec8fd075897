r"""Layers that are affine in their own parameters, and a tape of their uses in one forward pass.

A linear or convolutional layer computes :math:`z = x * w + b`. Whatever else a model does, the derivative of a loss
along a direction s of such parameters is :math:`\sum_c \langle dl/dz_c, \; x_c * s \rangle`, the sum running over the
uses c of the layers (a detector's head is used once a pyramid level): no gradient of the parameters is ever formed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

AFFINE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class NotAffine(ValueError):
    """Some of the chosen parameters do not belong to an affine layer."""


@dataclass
class LayerCall:
    """One use of a layer.

    Attributes:
        layer: The layer.
        param_names: Name of the chosen parameter by its name in the layer, e.g. {'weight': 'head.fc.weight'}.
        x: Its input, cut off from the graph.
        output: Its output, part of the graph.
    """

    layer: nn.Module
    param_names: dict[str, str]
    x: Tensor
    output: Tensor | None

    @property
    def channel_dim(self) -> int:
        """Dimension of ``out`` that holds the channels."""
        return -1 if isinstance(self.layer, nn.Linear) else -1 - len(self.layer.kernel_size)

    def tangent(self, direction: dict[str, Tensor]) -> Tensor:
        """X * s: what the layer would output with ``direction`` in place of its parameters (zero where not chosen)."""
        if isinstance(self.layer, nn.Linear) and 'weight' in self.param_names:
            bias = direction[self.param_names['bias']] if 'bias' in self.param_names else None
            with torch.no_grad():  # pullback needs no graph here
                return nn.functional.linear(self.x, direction[self.param_names['weight']], bias)
        values = {
            local: direction[self.param_names[local]]
            if local in self.param_names
            else torch.zeros_like(p)
            for local, p in self.layer.named_parameters(recurse=False)
        }
        return functional_call(self.layer, values, (self.x,))

    def pullback(
        self, u: Tensor, tangent: Tensor, direction: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """The transpose of :meth:`tangent`: the parameters' gradient of <u, x * s>, by parameter name.

        Args:
            u: In the shape of the output.
            tangent: Result of :meth:`tangent`, with its graph.
            direction: Its argument, requiring gradients.
        """
        if not isinstance(self.layer, nn.Linear):
            parts = torch.autograd.grad(
                tangent, [direction[name] for name in self.param_names.values()], u
            )
            return dict(zip(self.param_names.values(), parts, strict=True))
        rows = u.reshape(-1, u.shape[-1])
        found = dict(
            weight=lambda: rows.T @ self.x.reshape(-1, self.x.shape[-1]), bias=lambda: rows.sum(0)
        )
        return {name: found[local]() for local, name in self.param_names.items()}


def affine_owners(
    model: nn.Module, params: dict[str, nn.Parameter]
) -> dict[nn.Module, dict[str, str]]:
    """Every module that owns one of ``params``, with the chosen names; a shared parameter has several owners.

    Raises:
        NotAffine: If a parameter is owned by anything but a linear or convolutional layer.
    """
    names = {id(p): name for name, p in params.items()}
    owners = {}
    for module in model.modules():
        mine = {
            local: names[id(p)]
            for local, p in module.named_parameters(recurse=False, remove_duplicate=False)
            if id(p) in names
        }
        if mine and not isinstance(module, AFFINE):
            raise NotAffine(f'{next(iter(mine.values()))} belongs to a {type(module).__name__}.')
        if mine:
            owners[module] = mine
    return owners


class AffineTape:
    """Records every use of the layers that own ``params`` while gradients are enabled.

    >>> model, x = nn.Linear(3, 2), torch.randn(5, 3)
    >>> params = dict(model.named_parameters())
    >>> with AffineTape(model, params) as tape:
    ...     losses = model(x).square().sum(1)
    >>> direction = {name: torch.ones_like(p) for name, p in params.items()}
    >>> tape.derivative(losses.sum(), direction, len(losses)).shape
    torch.Size([5])

    Args:
        model: The model.
        params: Chosen parameters; they must require gradients.

    Raises:
        NotAffine: If a parameter is owned by anything but a linear or convolutional layer.
    """

    def __init__(self, model: nn.Module, params: dict[str, nn.Parameter]) -> None:
        self._owners = affine_owners(model, params)
        self.uses: list[LayerCall] = []
        self._handles: list = []

    def __enter__(self) -> AffineTape:
        self.uses = []
        self._handles = [
            layer.register_forward_hook(self._record, with_kwargs=True) for layer in self._owners
        ]
        return self

    def __exit__(self, *exc) -> None:
        for handle in self._handles:
            handle.remove()

    def _record(self, layer: nn.Module, args: tuple, kwargs: dict, out: Tensor) -> Tensor | None:
        if not (torch.is_grad_enabled() and out.requires_grad):
            return None
        self.uses.append(
            LayerCall(
                layer, self._owners[layer], (args[0] if args else kwargs['input']).detach(), out
            )
        )
        return out.clone()  # the model may change what it gets in place

    def derivative(self, loss: Tensor, direction: dict[str, Tensor], n: int = 1) -> Tensor:
        """Directional derivatives of the per-sample losses that sum to ``loss``.

        Args:
            loss: Sum of n per-sample losses, with a graph.
            direction: s by parameter name.
            n: Samples; with more than one, every recorded output has them in dimension 0.

        Returns:
            s . grad l(z_i), of shape (n,).
        """
        total = loss.new_zeros(n)
        if not (self.uses and loss.requires_grad):
            return total
        slopes = torch.autograd.grad(loss, [use.output for use in self.uses], allow_unused=True)
        with torch.no_grad():
            for use, slope in zip(self.uses, slopes, strict=True):
                if slope is not None:
                    total += (slope * use.tangent(direction)).reshape(n, -1).sum(1)
        return total
