"""What the loading step of a training pipeline makes of an image file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LOW_CONTRAST = 32
"""Of 255. Where the darkest and the brightest value of an image lie nearer, there is little to see.

Twelve bits in a file of sixteen, read as eight, are 0 to 15.
"""
FAINT = (
    f'hardly have contrast as they are loaded: less than {LOW_CONTRAST} of 255 lies between their '
    'darkest and their brightest value'
)
FEWER_BITS = 'have more than 8 bits a channel, and are loaded with 8'
FIRST_FRAME = 'have several frames or pages, of which only the first one is loaded'


@dataclass(frozen=True)
class ImageLoader:
    """The loading step of a pipeline.

    Attributes:
        name: How it is written in a config.
        load: Returns what the step makes of the file of a path; None if it leaves the image out.
        channels: Numbers of channels that the model takes. Empty: any.
        is_plain: Whether it makes three channels of 8 bits of every ordinary file, and the model
            takes them, so that such files need not be loaded to know.
        converts: Whether it makes floating-point numbers of 8 bits because it is told to.
    """

    name: str
    load: Callable[[str], Any]
    channels: tuple[int, ...]
    is_plain: bool
    converts: bool


class LoadedImage(NamedTuple):
    """What was found of an image as it is loaded.

    Attributes:
        reason: Why it cannot be used; None if it can.
        size: (width, height) in pixels; None if it cannot be used.
        notes: What is unusual in it, as the end of a sentence about such images.
        has_8_bits: Whether a loader makes 8 bits a channel of it.
    """

    reason: str | None
    size: tuple[int, int] | None
    notes: tuple[str, ...] = ()
    has_8_bits: bool = False


def load_image(path: str, loaders: Sequence[ImageLoader]) -> LoadedImage:
    """Load an image by every loader, and judge what they make of it.

    Args:
        path: Path of the file.
        loaders: The loaders, at least one.

    Returns:
        What was found; the size is that of the first loader.
    """
    size = None
    notes: list[str] = []
    has_8_bits = False
    for loader in loaders:
        try:
            array = loader.load(path)
        except Exception as e:  # noqa: BLE001  codecs raise many things; each is a reason to leave the image out
            return _unusable(f'{loader.name} cannot read it ({type(e).__name__}: {e})')
        if array is None:
            return _unusable(f'{loader.name} cannot read it')
        reason = _fault(array, loader)
        if reason is not None:
            return _unusable(reason)
        if size is None:
            size = (array.shape[1], array.shape[0])
        if _has_8_bits(array, loader):
            has_8_bits = True
        notes += _notes(array, loader)
    return LoadedImage(None, size, tuple(dict.fromkeys(notes)), has_8_bits)


def _unusable(reason: str) -> LoadedImage:
    return LoadedImage(reason, None)


def _has_8_bits(array: NDArray[Any], loader: ImageLoader) -> bool:
    return array.dtype == np.uint8 or (loader.converts and array.dtype == np.float32)


def _fault(array: NDArray[Any], loader: ImageLoader) -> str | None:
    """Why a model cannot take an image, or None."""
    if array.ndim not in (2, 3) or not array.size:
        return (
            f'{loader.name} makes an array of shape {array.shape} of it, expected height x width x '
            'channels'
        )
    n_channels = 1 if array.ndim == 2 else array.shape[2]
    if loader.channels and n_channels not in loader.channels:
        expected = ' or '.join(map(str, loader.channels))
        return (
            f'{loader.name} makes {_counted(n_channels)} of it, and data_preprocessor.mean expects '
            f'{expected}'
        )
    if array.dtype.kind == 'f' and not np.isfinite(array).all():
        return f'{loader.name} makes values of it that are not finite (NaN or infinite)'
    return None


def _counted(n_channels: int) -> str:
    return '1 channel' if n_channels == 1 else f'{n_channels} channels'


def _notes(array: NDArray[Any], loader: ImageLoader) -> list[str]:
    if _has_8_bits(array, loader):
        contrast = float(array.max()) - float(array.min())
        return [FAINT] if contrast < LOW_CONTRAST else []
    return [
        f'are loaded as {array.dtype}, not as whole numbers from 0 to 255: mean and std of '
        'data_preprocessor have to fit them'
    ]
