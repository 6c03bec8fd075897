"""A last layer that is refitted on frozen features to select with: ``train_cfg.head``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mmal.errors import InputError

REFIT = 'refit'

COMPONENTS = 256
"""Principal components of the features that are kept by default."""


@dataclass(frozen=True)
class RefitHead:
    """How the last layer is refitted.

    Attributes:
        layers: Names of the modules whose outputs are the features. Defaults to the backbone.
        components: Number of principal components of the features that are kept; None for all.
            Defaults to 256.
        weight_decay: Strength of the L2 penalty beside the *mean* loss. Defaults to None: that of
            the least loss on the reference set, or of five-fold cross-validation where a run has no
            reference set.
    """

    layers: tuple[str, ...] = ('backbone',)
    components: int | None = COMPONENTS
    weight_decay: float | None = None

    @classmethod
    def from_config(cls, head: str | Mapping[str, Any] | None) -> RefitHead | None:
        """Read ``train_cfg.head``.

        Args:
            head: 'refit', a dict of the attributes above, or None.

        Returns:
            How the last layer is refitted; None if the trained model selects.

        Raises:
            InputError: If it is anything else.
        """
        if head is None:
            return None
        if head == REFIT:
            return cls()
        known = [field.name for field in fields(cls)]
        if not isinstance(head, Mapping) or not set(head) <= set(known):
            raise InputError(
                f"train_cfg.head: expected 'refit' or a dict of {', '.join(known)}, got {head!r}."
            )
        arguments = dict(head)
        if 'layers' in arguments:
            arguments['layers'] = tuple(arguments['layers'])
        refit = cls(**arguments)
        _check(refit)
        return refit


def _check(head: RefitHead) -> None:
    if not head.layers:
        raise InputError('train_cfg.head.layers: expected names of modules, got none.')
    if head.components is not None and head.components < 1:
        raise InputError(
            f'train_cfg.head.components: expected at least 1, or None for all, got '
            f'{head.components}.'
        )
    if head.weight_decay is not None and not head.weight_decay > 0:
        raise InputError(
            f'train_cfg.head.weight_decay: expected more than 0, or None to have it chosen, got '
            f'{head.weight_decay}.'
        )
