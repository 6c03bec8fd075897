"""Choose the parameters that influence is restricted to, and move between dicts and flat vectors."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn


def matches(name: str, pattern: str) -> bool:
    """Whether a parameter's full name fits a pattern: the name, a module it lies in, or a shell wildcard."""
    return name == pattern or name.startswith(pattern + '.') or fnmatchcase(name, pattern)


def _nearest(pattern: str, names: Sequence[str]) -> list[str]:
    """Parameter and module names most like ``pattern``; its last part may also match theirs."""
    modules = {name.rsplit('.', n)[0] for name in names for n in range(1, name.count('.') + 1)}
    candidates = sorted(modules | set(names))
    near = difflib.get_close_matches(pattern, candidates, n=5, cutoff=0.5)
    tail = pattern.rsplit('.', 1)[-1]
    near += [
        c
        for c in candidates
        if difflib.SequenceMatcher(None, tail, c.rsplit('.', 1)[-1]).ratio() > 0.8
    ]
    return list(dict.fromkeys(near))[:5] or sorted(m for m in modules if '.' not in m)


def select_parameters(model: nn.Module, patterns: Sequence[str]) -> dict[str, nn.Parameter]:
    """Select the parameters whose names fit any of ``patterns``.

    A pattern fits a parameter by its full name (``bbox_head.conv_cls.weight``), by the name of a module it lies in
    (``bbox_head.conv_cls``), or as a shell wildcard (``*.conv_cls.*``). Parameters that are frozen (``requires_grad``
    is False) are left out: a sample that is trained on cannot move them.

    Args:
        model: The unwrapped model.
        patterns: At least one pattern.

    Returns:
        The matched parameters by name, in the model's own order, each once.

    Raises:
        ValueError: If ``patterns`` is empty, or one of them fits nothing (the message lists the nearest names) or only
            frozen parameters.
    """
    if isinstance(patterns, str):
        patterns = [patterns]
    if not patterns:
        raise ValueError(
            '`params` is empty: name at least one layer, e.g. params=["bbox_head.conv_cls"].'
        )
    names = [name for name, _ in model.named_parameters()]
    for pattern in patterns:
        if not any(matches(name, pattern) for name in names):
            raise ValueError(
                f'`params` pattern {pattern!r} matches no parameter of {type(model).__name__}. '
                f'Nearest names: {", ".join(_nearest(pattern, names))}.'
            )
        if not any(
            matches(name, pattern) and p.requires_grad for name, p in model.named_parameters()
        ):
            raise ValueError(
                f'`params` pattern {pattern!r} matches frozen parameters only (requires_grad=False): '
                'training does not move them, so they carry no influence. Name trained layers.'
            )
    return {
        name: p
        for name, p in model.named_parameters()
        if p.requires_grad and any(matches(name, pat) for pat in patterns)
    }


@contextmanager
def restrict_grad(model: nn.Module, params: dict[str, nn.Parameter]) -> Iterator[None]:
    """Let only ``params`` require gradients inside the context; restore every flag afterwards."""
    before = {p: p.requires_grad for p in model.parameters()}
    chosen = {id(p) for p in params.values()}
    try:
        for p in before:
            p.requires_grad_(id(p) in chosen)
        yield
    finally:
        for p, flag in before.items():
            p.requires_grad_(flag)


def gradient(
    loss: Tensor,
    params: dict[str, nn.Parameter],
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> Tensor:
    """Gradient of a scalar with respect to ``params`` as one flat vector of shape (P,).

    A parameter that the loss does not reach contributes zeros.
    """
    if not loss.requires_grad:
        return flatten({name: torch.zeros_like(p) for name, p in params.items()})
    grads = torch.autograd.grad(
        loss,
        list(params.values()),
        create_graph=create_graph,
        retain_graph=retain_graph,
        allow_unused=True,
        materialize_grads=True,
    )
    return torch.cat([g.reshape(-1) for g in grads])


def flatten(tensors: dict[str, Tensor]) -> Tensor:
    """Concatenate a dict of tensors, in its order, into one vector of shape (P,)."""
    return torch.cat([t.detach().reshape(-1) for t in tensors.values()])


def unflatten(vector: Tensor, like: dict[str, Tensor]) -> dict[str, Tensor]:
    """Cut a vector of shape (P,) into tensors of the names and shapes of ``like``.

    Raises:
        ValueError: If the sizes do not agree.
    """
    total = sum(t.numel() for t in like.values())
    if vector.numel() != total:
        raise ValueError(
            f'Expected a vector of {total} values for {len(like)} tensors, got {vector.numel()}.'
        )
    pieces = vector.split([t.numel() for t in like.values()])
    return {name: piece.view_as(t) for (name, t), piece in zip(like.items(), pieces, strict=True)}
