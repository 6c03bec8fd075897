"""What an image looks like, in 264 bytes: a hash to find look-alikes by, and a thumbnail to be sure of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

SIDE = 16
"""Pixels of the thumbnail."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Of an image as it is shown, that is, turned as its EXIF data say.

    Attributes:
        hash: dHash of 64 bits: whether brightness grows to the right, on 8 x 8 places.
        thumbnail: Grey values, SIDE * SIDE bytes.
    """

    hash: int
    thumbnail: bytes


def fingerprint(image: Image.Image) -> Fingerprint:
    """Of a decoded image; a size of an eighth is enough."""
    grey = _grey(ImageOps.exif_transpose(image))
    rows = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    bits = np.packbits(rows[:, 1:] > rows[:, :-1])
    thumbnail = grey.resize((SIDE, SIDE), Image.Resampling.BOX)
    return Fingerprint(int.from_bytes(bits.tobytes(), 'big'), thumbnail.tobytes())


def _grey(image: Image.Image) -> Image.Image:
    """Eight bits; of more, which Pillow would cut off at 255, the range that the image has."""
    if image.mode[0] not in 'IF':
        return image.convert('L')
    values = np.nan_to_num(np.asarray(image, dtype=np.float32))
    low, high = float(values.min()), float(values.max())
    return Image.fromarray(((values - low) * (255 / max(high - low, 1e-9))).astype(np.uint8))
