"""Whether a loss has a second derivative: operators without one would drop their share silently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.autograd.graph import Node

ERROR_NODE = 'torch::autograd::Error'
"""Name of the node that stands where the derivative of a derivative is missing."""


class NotTwiceDifferentiable(RuntimeError):
    """An operator between the loss and the chosen parameters has a first derivative only."""


def require_second_derivative(loss: Tensor, gradients: Iterable[Tensor]) -> None:
    """Refuse gradients whose own derivative would lack a share.

    Compiled operators such as deformable convolution and attention, RoIAlign, and on GPUs focal
    loss, mark their gradient as differentiable once. A backward pass that is asked for some inputs
    alone does not run into that mark: it leaves the operator's share out, and no error is raised.

    Args:
        loss: The loss, with its graph.
        gradients: Its gradients, with a graph of their own.

    Raises:
        NotTwiceDifferentiable: If a gradient depends on such an operator's gradient; the message
            names the operators of the loss that may be meant.
    """
    roots = [gradient.grad_fn for gradient in gradients]
    if any(node.name() == ERROR_NODE for node in _graph(roots)):
        names = ', '.join(_once_differentiable_operators(loss)) or 'an operator'
        raise NotTwiceDifferentiable(
            f'{names} between the loss and the chosen parameters has no second derivative, which '
            'curvature needs. Choose parameters that lie behind it, those of the very last layers, '
            'or a solver that needs no curvature (mmal.Identity).'
        )


def _graph(roots: Iterable[Node | None]) -> Iterator[Node]:
    """All nodes of a graph, each once."""
    visited: set[Node] = set()
    pending = list(roots)
    while pending:
        node = pending.pop()
        if node is None or node in visited:
            continue
        visited.add(node)
        yield node
        for child, _ in node.next_functions:
            pending.append(child)


def _once_differentiable_operators(loss: Tensor) -> list[str]:
    """Names of the operators in the graph of a loss whose backward is marked."""
    wrapper = once_differentiable(_graph).__code__
    names = set()
    for node in _graph([loss.grad_fn]):
        function: Any = getattr(node, '_forward_cls', None)
        backward = getattr(function, 'backward', None)
        if getattr(backward, '__code__', None) is wrapper:
            names.add(function.__name__)
    return sorted(names)
