"""What an image looks like, in 264 bytes: a hash to find others by, a thumbnail to compare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

SIDE = 16
"""Width and height of the thumbnail in pixels."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What an image looks like as it is shown, that is, turned as its EXIF data say.

    Attributes:
        hash: dHash of 64 bits: whether brightness grows to the right, at 8 x 8 places.
        thumbnail: Grey values of the thumbnail, ``SIDE * SIDE`` bytes in row order.
    """

    hash: int
    thumbnail: bytes


def fingerprint(image: Image.Image) -> Fingerprint:
    """Compute the fingerprint of an image.

    Args:
        image: A decoded image; an eighth of its size is enough.

    Raises:
        ValueError: If Pillow cannot turn its colours into grey.
    """
    grey = _to_grey(ImageOps.exif_transpose(image))
    rows = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    bits = np.packbits(rows[:, 1:] > rows[:, :-1])
    thumbnail = grey.resize((SIDE, SIDE), Image.Resampling.BOX)
    return Fingerprint(int.from_bytes(bits.tobytes(), 'big'), thumbnail.tobytes())


def _to_grey(image: Image.Image) -> Image.Image:
    """The image in grey values of eight bits.

    Pillow would cut values of more bits off at 255, so the range that the image has is used.
    """
    if image.mode[0] not in 'IF':
        return image.convert('L')
    values = np.nan_to_num(np.asarray(image, dtype=np.float32))
    low = float(values.min())
    high = float(values.max())
    scale = 255 / max(high - low, 1e-9)
    return Image.fromarray(((values - low) * scale).astype(np.uint8))
