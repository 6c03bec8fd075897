r"""Layers that are affine in their own parameters, and a tape of their calls in one forward pass.

A linear or convolutional layer computes :math:`z = x * w + b`. Whatever else a model does, the
derivative of a loss along a direction s of such parameters is
:math:`\sum_c \langle dl/dz_c, \; x_c * s \rangle`, the sum running over the calls c of the layers
(a detector's head is called once per pyramid level). No gradient of the parameters is ever formed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.hooks import RemovableHandle

AFFINE_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Types of layers that are affine in their own parameters."""

AffineLayer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
"""Any of them, for annotations."""


class NotAffine(ValueError):
    """Some of the chosen parameters do not belong to an affine layer."""


@dataclass
class LayerCall:
    """One call of an affine layer during a forward pass.

    Attributes:
        layer: The linear or convolutional layer that was called.
        param_names: Names of the chosen parameters by their names in the layer, e.g. {'weight':
            'head.fc.weight'}.
        x: The layer's input x, cut off from the graph.
        output: The layer's output z, part of the graph. None once the graph has been released.
    """

    layer: AffineLayer
    param_names: dict[str, str]
    x: Tensor
    output: Tensor | None

    @property
    def channel_dim(self) -> int:
        """Dimension of :attr:`output` that holds the channels, counted from the end."""
        if isinstance(self.layer, nn.Linear):
            return -1
        return -1 - len(self.layer.kernel_size)

    def tangent(self, direction: Mapping[str, Tensor]) -> Tensor:
        """Compute x * s, what the layer would output with a direction in place of its parameters.

        Args:
            direction: s by full parameter name. Parameters of the layer that are not chosen count
                as zero.

        Returns:
            A tensor of the output's shape, with a graph to ``direction`` where :meth:`pullback`
            needs one.
        """
        if isinstance(self.layer, nn.Linear) and 'weight' in self.param_names:
            weight = direction[self.param_names['weight']]
            bias = None
            if 'bias' in self.param_names:
                bias = direction[self.param_names['bias']]
            # the pullback of a linear layer needs no graph
            with torch.no_grad():
                return nn.functional.linear(self.x, weight, bias)

        values: dict[str, Tensor] = {}
        for local_name, parameter in self.layer.named_parameters(recurse=False):
            if local_name in self.param_names:
                values[local_name] = direction[self.param_names[local_name]]
            else:
                values[local_name] = torch.zeros_like(parameter)
        output: Tensor = functional_call(self.layer, values, (self.x,))
        return output

    def pullback(
        self, u: Tensor, tangent: Tensor, direction: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Apply the transpose of :meth:`tangent`: the parameters' gradient of <u, x * s>.

        Args:
            u: A tensor of the output's shape.
            tangent: Result of :meth:`tangent`, with its graph.
            direction: The direction that ``tangent`` was made from, requiring gradients.

        Returns:
            The gradient of each chosen parameter by its full name, in the parameter's shape.
        """
        names = self.param_names
        if not isinstance(self.layer, nn.Linear):
            inputs = [direction[name] for name in names.values()]
            grads = torch.autograd.grad(tangent, inputs, u)
            return dict(zip(names.values(), grads, strict=True))

        gradients: dict[str, Tensor] = {}
        u_rows = u.reshape(-1, u.shape[-1])
        for local_name, name in names.items():
            if local_name == 'weight':
                x_rows = self.x.reshape(-1, self.x.shape[-1])
                gradients[name] = u_rows.T @ x_rows
            else:
                gradients[name] = u_rows.sum(0)
        return gradients


def affine_owners(
    model: nn.Module, params: Mapping[str, nn.Parameter]
) -> dict[AffineLayer, dict[str, str]]:
    """Find every layer that owns one of the chosen parameters.

    A shared parameter has several owners.

    Args:
        model: The model.
        params: The chosen parameters by full name.

    Returns:
        For each owner the full names of its chosen parameters by their names in the layer.

    Raises:
        NotAffine: If a parameter is owned by anything but a linear or convolutional layer.
    """
    full_names = {id(parameter): name for name, parameter in params.items()}
    owners: dict[AffineLayer, dict[str, str]] = {}
    for module in model.modules():
        own_names: dict[str, str] = {}
        for local_name, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            if id(parameter) in full_names:
                own_names[local_name] = full_names[id(parameter)]
        if not own_names:
            continue
        if not isinstance(module, AFFINE_LAYERS):
            name = next(iter(own_names.values()))
            raise NotAffine(f'{name} belongs to a {type(module).__name__}.')
        if isinstance(module, nn.Linear):
            _require_weight_or_bias(module, own_names)
        owners[module] = own_names
    return owners


def _require_weight_or_bias(layer: nn.Linear, own_names: dict[str, str]) -> None:
    """Raise NotAffine for a parameter that a subclass has added; the pullback knows none."""
    for local_name, name in own_names.items():
        if local_name not in ('weight', 'bias'):
            raise NotAffine(f'{name} belongs to a {type(layer).__name__}.')


class AffineTape:
    r"""Records every call of the layers that own ``params`` while gradients are enabled.

    Inside the context the model is run once. :meth:`derivative` then gives the directional
    derivatives :math:`s \cdot \nabla l(z_i) = \sum_c \langle dl(z_i)/dz_c, \; x_c * s \rangle` of
    its per-sample losses by one backward pass down to the outputs :math:`z_c` of the recorded calls
    c.

    >>> model, x = nn.Linear(3, 2), torch.randn(5, 3)
    >>> params = dict(model.named_parameters())
    >>> with AffineTape(model, params) as tape:
    ...     losses = model(x).square().sum(1)
    >>> direction = {name: torch.ones_like(p) for name, p in params.items()}
    >>> tape.derivative(losses.sum(), direction, len(losses)).shape
    torch.Size([5])

    Args:
        model: The model.
        params: The chosen parameters by full name. They must require gradients.

    Attributes:
        calls: The recorded calls in their order. They are cleared when the context is entered
            again.

    Raises:
        NotAffine: If a parameter is owned by anything but a linear or convolutional layer.
    """

    def __init__(self, model: nn.Module, params: Mapping[str, nn.Parameter]) -> None:
        self._owners = affine_owners(model, params)
        self._handles: list[RemovableHandle] = []
        self.calls: list[LayerCall] = []

    def __enter__(self) -> AffineTape:
        """Clear the tape and start recording."""
        self.calls = []
        self._handles = []
        for layer in self._owners:
            handle = layer.register_forward_hook(self._record, with_kwargs=True)
            self._handles.append(handle)
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop recording."""
        for handle in self._handles:
            handle.remove()

    def _record(
        self, layer: AffineLayer, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor
    ) -> Tensor | None:
        """Forward hook: note one call, and pass a copy of its output on."""
        if not (torch.is_grad_enabled() and output.requires_grad):
            return None
        x = args[0] if args else kwargs['input']
        self.calls.append(LayerCall(layer, self._owners[layer], x.detach(), output))
        # the model may change in place what it gets
        return output.clone()

    def derivative(self, loss: Tensor, direction: Mapping[str, Tensor], n: int = 1) -> Tensor:
        """Compute the directional derivatives of the per-sample losses that sum to ``loss``.

        Args:
            loss: Sum (not mean) of n per-sample losses, with a graph.
            direction: s by full parameter name.
            n: Number of samples. With more than one, every recorded output has them in dimension 0.
                Defaults to 1.

        Returns:
            s . grad l(z_i), shape (n,). Zeros if no call was recorded or the loss has no graph.
        """
        total = loss.new_zeros(n)
        if not self.calls or not loss.requires_grad:
            return total
        outputs = [call.output for call in self.calls if call.output is not None]
        slopes = torch.autograd.grad(loss, outputs, allow_unused=True)
        with torch.no_grad():
            for call, slope in zip(self.calls, slopes, strict=True):
                if slope is None:
                    continue
                products = slope * call.tangent(direction)
                total += products.reshape(n, -1).sum(1)
        return total
