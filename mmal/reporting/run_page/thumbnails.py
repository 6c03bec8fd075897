"""Small pictures of pool images inside a page, with boxes over them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image

from mmal.reporting.finished_round import load_image

CLEAR = 64
"""Up to this longest side a picture is kept as it is, as PNG; JPEG would blur it."""


@dataclass(frozen=True)
class Box:
    """A box over a picture.

    Attributes:
        x, y, width, height: In pixels of the image.
        label: Written at the box.
        guessed: Predicted, not revealed by labeling.
        line: On which line inside the box the label stands, so that those of boxes on one object can be read.
    """

    x: float
    y: float
    width: float
    height: float
    label: str
    guessed: bool
    line: int = 0


@dataclass(frozen=True)
class Thumbnail:
    """A picture for the page.

    Attributes:
        uri: ``data:`` URI of the picture, '' if the image cannot be read.
        width, height: Of the image, in its own pixels.
        alt: What it shows.
        boxes: Over it.
        reason: Why the image cannot be read.
    """

    uri: str
    width: int
    height: int
    alt: str
    boxes: Sequence[Box] = ()
    reason: str = ''


class Thumbnails:
    """Makes them.

    Args:
        work_dir: Of the run; its ``pool.json`` lists images that are no files.
        data: The :class:`~mmal.adapters.base.DataAdapter` of the run.
    """

    def __init__(self, work_dir: str | Path, data) -> None:
        self._work_dir, self._data = Path(work_dir), data

    def make(self, image_id, alt: str, boxes: Sequence[Box] = (), side: int = 320) -> Thumbnail:
        """A thumbnail whose longest side is at most ``side`` pixels; an image that cannot be read says so."""
        try:
            picture = load_image(self._data, image_id, lambda: self._pool)
        except (
            OSError,
            ValueError,
            KeyError,
        ) as e:  # gone, broken, remote, or no longer in the pool
            return Thumbnail('', 4, 3, alt, reason=f'{type(e).__name__}: {e}')
        return Thumbnail(data_uri(picture, side), *picture.size, alt, boxes)

    @cached_property
    def _pool(self):
        return self._data.pool_dataset(str(self._work_dir / 'pool.json'))


def data_uri(picture: Image.Image, side: int) -> str:
    """The picture itself as a URI: a JPEG of at most ``side`` pixels along its longest side."""
    kind, buffer = 'jpeg' if max(picture.size) > CLEAR else 'png', io.BytesIO()
    small = picture.copy()
    small.thumbnail((side, side))
    small.save(buffer, kind, **(dict(quality=80, optimize=True) if kind == 'jpeg' else {}))
    return f'data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}'
