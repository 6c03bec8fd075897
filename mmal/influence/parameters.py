"""Choose the parameters that influence is restricted to, and move between dicts and flat vectors.

Every vector of this package is flat: the P values of the chosen parameters, one parameter after the
other in the model's own order.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

MAX_NEAREST_NAMES = 5
"""Names that the message about an unmatched pattern lists at most."""


def matches(name: str, pattern: str) -> bool:
    """Check whether a parameter's full name fits a pattern.

    >>> matches('bbox_head.conv_cls.weight', 'bbox_head.conv_cls')
    True
    >>> matches('bbox_head.conv_cls.weight', '*.conv_cls.*')
    True
    >>> matches('bbox_head.conv_cls_2.weight', 'bbox_head.conv_cls')
    False

    Args:
        name: Full name of a parameter, as in ``model.named_parameters()``.
        pattern: That name, the name of a module it lies in, or a shell wildcard.

    Returns:
        True if any of the three fits.
    """
    if name == pattern or name.startswith(pattern + '.'):
        return True
    return fnmatchcase(name, pattern)


def select_parameters(model: nn.Module, patterns: Sequence[str]) -> dict[str, nn.Parameter]:
    """Select the parameters whose names fit any of ``patterns``.

    A pattern fits a parameter by its full name (``bbox_head.conv_cls.weight``), by the name of a
    module it lies in (``bbox_head.conv_cls``), or as a shell wildcard (``*.conv_cls.*``).
    Parameters that are frozen (``requires_grad`` is False) are left out: a sample that is trained
    on cannot move them.

    >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> list(select_parameters(model, ['2']))
    ['2.weight', '2.bias']

    Args:
        model: The unwrapped model.
        patterns: At least one pattern. A string stands for a list of one.

    Returns:
        The matched parameters by name, in the model's own order, each once.

    Raises:
        ValueError: If ``patterns`` is empty, or one of them fits nothing (the message lists the
            nearest names) or only frozen parameters.
    """
    if isinstance(patterns, str):
        patterns = [patterns]
    if not patterns:
        raise ValueError(
            '`params` is empty: name at least one layer, e.g. params=["bbox_head.conv_cls"].'
        )
    for pattern in patterns:
        _require_trained_match(model, pattern)

    selected: dict[str, nn.Parameter] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and any(matches(name, pattern) for pattern in patterns):
            selected[name] = parameter
    return selected


def _require_trained_match(model: nn.Module, pattern: str) -> None:
    """Raise a ValueError if a pattern fits no parameter, or frozen ones only."""
    matched: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if matches(name, pattern):
            matched.append(parameter)
    if not matched:
        names = [name for name, _ in model.named_parameters()]
        raise ValueError(
            f'`params` pattern {pattern!r} matches no parameter of {type(model).__name__}. '
            f'Nearest names: {", ".join(_nearest_names(pattern, names))}.'
        )
    if not any(parameter.requires_grad for parameter in matched):
        raise ValueError(
            f'`params` pattern {pattern!r} matches frozen parameters only (requires_grad=False): '
            'training does not move them, so they carry no influence. Name trained layers.'
        )


def _nearest_names(pattern: str, names: Sequence[str]) -> list[str]:
    """Parameter and module names most like ``pattern``; its last part may also match theirs."""
    modules = _module_names(names)
    candidates = sorted(modules | set(names))
    nearest = difflib.get_close_matches(pattern, candidates, n=MAX_NEAREST_NAMES, cutoff=0.5)
    last_part = pattern.rsplit('.', 1)[-1]
    for candidate in candidates:
        candidate_part = candidate.rsplit('.', 1)[-1]
        if difflib.SequenceMatcher(None, last_part, candidate_part).ratio() > 0.8:
            nearest.append(candidate)
    if nearest:
        return list(dict.fromkeys(nearest))[:MAX_NEAREST_NAMES]
    return sorted(module for module in modules if '.' not in module)


def _module_names(names: Sequence[str]) -> set[str]:
    """Names of all modules that the named parameters lie in."""
    modules: set[str] = set()
    for name in names:
        parts = name.split('.')
        for depth in range(1, len(parts)):
            modules.add('.'.join(parts[:depth]))
    return modules


@contextmanager
def preserve_grad_flags(model: nn.Module) -> Iterator[None]:
    """Restore ``requires_grad`` of every parameter when the context ends, also by an error.

    Args:
        model: The model whose flags may be changed inside.

    Yields:
        None.
    """
    flags = {parameter: parameter.requires_grad for parameter in model.parameters()}
    try:
        yield
    finally:
        for parameter, flag in flags.items():
            parameter.requires_grad_(flag)


@contextmanager
def restrict_grad(model: nn.Module, params: Mapping[str, nn.Parameter]) -> Iterator[None]:
    """Let only ``params`` require gradients inside the context; restore every flag afterwards.

    >>> model = nn.Linear(3, 2)
    >>> with restrict_grad(model, {'weight': model.weight}):
    ...     [name for name, p in model.named_parameters() if p.requires_grad]
    ['weight']
    >>> model.bias.requires_grad
    True

    Args:
        model: The model.
        params: The chosen parameters of the model by name.

    Yields:
        None.
    """
    chosen = {id(parameter) for parameter in params.values()}
    with preserve_grad_flags(model):
        for parameter in model.parameters():
            parameter.requires_grad_(id(parameter) in chosen)
        yield


def gradient(
    loss: Tensor,
    params: Mapping[str, nn.Parameter],
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> Tensor:
    r"""Compute the gradient :math:`\nabla l` of a scalar as one flat vector.

    A parameter that the loss does not reach contributes zeros.

    >>> model = nn.Linear(2, 1)
    >>> gradient(model(torch.tensor([[3.0, 4.0]])).sum(), dict(model.named_parameters()))
    tensor([3., 4., 1.])

    Args:
        loss: A scalar. Without a graph its gradient is zero.
        params: The chosen parameters, P values in all.
        create_graph: Whether the gradient itself gets a graph, for second derivatives. Defaults to
            False.
        retain_graph: Whether the graph of the loss is kept. Defaults to None: as ``create_graph``.

    Returns:
        The gradient, shape (P,).
    """
    if not loss.requires_grad:
        return torch.zeros_like(flatten(params))
    grads = torch.autograd.grad(
        loss,
        list(params.values()),
        create_graph=create_graph,
        retain_graph=retain_graph,
        allow_unused=True,
        materialize_grads=True,
    )
    return torch.cat([grad.reshape(-1) for grad in grads])


def flatten(tensors: Mapping[str, Tensor]) -> Tensor:
    """Concatenate a dict of tensors, in its order, into one vector without a graph.

    Args:
        tensors: Tensors of any shapes, P values in all.

    Returns:
        A vector of shape (P,).
    """
    pieces: list[Tensor] = []
    for tensor in tensors.values():
        pieces.append(tensor.detach().reshape(-1))
    return torch.cat(pieces)


def unflatten(vector: Tensor, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Cut a vector into tensors of the names and shapes of ``like``.

    It is the inverse of :func:`flatten`.

    >>> pieces = unflatten(torch.arange(8), dict(weight=torch.zeros(2, 3), bias=torch.zeros(2)))
    >>> {name: tuple(piece.shape) for name, piece in pieces.items()}
    {'weight': (2, 3), 'bias': (2,)}

    Args:
        vector: A vector of shape (P,).
        like: Tensors whose names, order and shapes are taken, P values in all.

    Returns:
        Views of ``vector`` by name.

    Raises:
        ValueError: If the sizes do not agree.
    """
    sizes = [tensor.numel() for tensor in like.values()]
    if vector.numel() != sum(sizes):
        raise ValueError(
            f'Expected a vector of {sum(sizes)} values for {len(like)} tensors, '
            f'got {vector.numel()}.'
        )
    pieces: dict[str, Tensor] = {}
    for (name, tensor), piece in zip(like.items(), vector.split_with_sizes(sizes), strict=True):
        pieces[name] = piece.view_as(tensor)
    return pieces
