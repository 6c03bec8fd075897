"""How the first images are chosen: as the config says, or by what a pretrained backbone sees."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmal.errors import InputError
from mmal.registry import SAMPLERS
from mmal.samplers.base import Sampler

RANDOM = 'random'
"""``train_cfg.cold_start`` that draws the first images at random."""

BACKBONE = 'backbone'
"""The module whose outputs are looked at by default."""

DEFAULT_SAMPLER: dict[str, Any] = dict(
    type='mmal.HerdingSampler', layers=[BACKBONE], target_share=0.5
)
"""What chooses the first images by default where the backbone is pretrained. Each seed covers
another half of the pool, so that the seeds of a comparison begin with different images.
"""


@dataclass(frozen=True)
class ColdStart:
    """How the first images are chosen.

    Attributes:
        sampler: What chooses them; None: they are drawn at random.
        text: The same in words, which continue 'The first images are chosen'.
    """

    sampler: Sampler | None = None
    text: str = 'at random'


def cold_start(given: str | Mapping[str, Any] | None, weights: str | None) -> ColdStart:
    """Read ``train_cfg.cold_start``.

    Args:
        given: 'random', or config of a sampler. None: herding on the outputs of a pretrained
            backbone, and at random where there is none.
        weights: Key of the config by which the backbone is pretrained, see
            :func:`~mmal.utils.pretrained.weights_key`; None if it is not.

    Raises:
        InputError: If it is another word, or no config of a sampler.
    """
    if given == RANDOM:
        return ColdStart(text=f'at random (train_cfg.cold_start = {RANDOM!r})')
    if given:
        sampler = _build(given)
        return ColdStart(sampler, f'by {type(sampler).__name__} (train_cfg.cold_start)')
    if weights is None:
        return ColdStart(text='at random: no pretrained backbone could compare them')
    sampler = _build(DEFAULT_SAMPLER)
    return ColdStart(
        sampler,
        f'by {type(sampler).__name__} on what the pretrained backbone ({weights}) sees',
    )


def _build(cfg: Any) -> Sampler:
    if not isinstance(cfg, Mapping):
        raise InputError(
            f'train_cfg.cold_start: expected {RANDOM!r} or the config of a sampler, as '
            f'{DEFAULT_SAMPLER}, got {cfg!r}.'
        )
    try:
        sampler: Sampler = SAMPLERS.build(copy.deepcopy(dict(cfg)))
    except (KeyError, TypeError, ValueError) as e:
        raise InputError(f'train_cfg.cold_start: {e.args[0] if e.args else e}') from e
    return sampler
