"""Small pictures of pool images inside a page, with boxes over them."""

from __future__ import annotations

import base64
import io
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from mmal.reporting.finished_round import load_image
from mmal.run.layout import RunPaths

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter

CLEAR = 64
"""Longest side in pixels up to which a picture is a PNG; JPEG would blur it."""

UNREADABLE_SIZE = (4, 3)
"""Width and height given for an image that cannot be read."""


@dataclass(frozen=True)
class BoxOverlay:
    """A box drawn over a picture.

    Attributes:
        x: Left edge, in pixels of the image.
        y: Upper edge, in pixels of the image.
        width: Width, in pixels of the image.
        height: Height, in pixels of the image.
        label: Text written at the box.
        guessed: Whether the box is predicted, and not revealed by labeling.
        line: Line inside the box that the label stands on, from 0, so that the labels of several
            boxes on one object can be read.
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
        uri: ``data:`` URI of the picture; '' if the image cannot be read.
        width: Width of the image, in its own pixels.
        height: Height of the image, in its own pixels.
        alt: Text alternative: what the picture shows.
        boxes: Boxes over the picture.
        reason: Why the image cannot be read; '' if it can.
    """

    uri: str
    width: int
    height: int
    alt: str
    boxes: Sequence[BoxOverlay] = ()
    reason: str = ''


class Thumbnails:
    """Makes the thumbnails of a run.

    Args:
        work_dir: Work directory of the run; its ``pool.json`` lists images that are no files.
        data: Data of the run.
    """

    def __init__(self, work_dir: str | Path, data: DataAdapter) -> None:
        self._paths = RunPaths(Path(work_dir))
        self._data = data

    def make(
        self,
        image_id: Hashable,
        alt: str,
        boxes: Sequence[BoxOverlay] = (),
        side: int = 320,
    ) -> Thumbnail:
        """A thumbnail; where the image cannot be read, it has the reason in place of a picture.

        Args:
            image_id: Id of the image.
            alt: Text alternative: what the picture shows.
            boxes: Boxes over the picture. Defaults to none.
            side: Longest side of the picture in pixels, at most. Defaults to 320.
        """
        try:
            picture = load_image(self._data, image_id, lambda: self._pool)
        # The file is gone, broken or remote, or the image is no longer in the pool.
        except (OSError, ValueError, KeyError) as e:
            width, height = UNREADABLE_SIZE
            return Thumbnail('', width, height, alt, reason=f'{type(e).__name__}: {e}')
        return Thumbnail(data_uri(picture, side), picture.width, picture.height, alt, boxes)

    @cached_property
    def _pool(self) -> Any:
        """The pool's dataset without annotations."""
        return self._data.pool_dataset(str(self._paths.pool))


def data_uri(picture: Image.Image, side: int) -> str:
    """The picture itself as a URI: a JPEG, or a PNG if it is tiny.

    Args:
        picture: The picture, which is not changed.
        side: Longest side of the result in pixels, at most.
    """
    small = picture.copy()
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    if max(picture.size) > CLEAR:
        kind = 'jpeg'
        small.save(buffer, kind, quality=80, optimize=True)
    else:
        kind = 'png'
        small.save(buffer, kind)
    return f'data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}'
