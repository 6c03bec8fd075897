"""Images side by side with their boxes: what each method chose (paper, Figure 6)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

BOX_COLOUR = (255, 200, 0)
"""Colour of boxes and of their labels, RGB."""

CAPTION_HEIGHT = 16
"""Height of the line under a picture, in pixels."""

GAP = 6
"""Pixels between two tiles, and around the sheet."""

HEADING_HEIGHT = 16
"""Height of the line above a row of tiles, in pixels."""


def tile(
    image: Image.Image,
    boxes: Sequence[tuple[float, float, float, float, str]],
    caption: str,
    size: int = 160,
) -> Image.Image:
    """One image in a square, with its boxes and a line of text under it.

    Args:
        image: The image, of any mode. It is shrunk or enlarged to fit.
        boxes: x, y, width and height of each box in pixels of the image, and its label.
        caption: Text under the picture.
        size: Side of the square in pixels. Defaults to 160.

    Returns:
        An RGB image, ``size`` wide and ``size + 16`` high.
    """
    scale = size / max(image.size)
    width = max(1, round(image.width * scale))
    height = max(1, round(image.height * scale))
    picture = image.convert('RGB').resize((width, height))
    draw = ImageDraw.Draw(picture)
    for x, y, box_width, box_height, label in boxes:
        left = x * scale
        top = y * scale
        right = (x + box_width) * scale
        bottom = (y + box_height) * scale
        draw.rectangle((left, top, right, bottom), outline=BOX_COLOUR, width=2)
        draw.text(
            (left + 3, top + 1), label, fill=BOX_COLOUR, stroke_width=1, stroke_fill=(0, 0, 0)
        )
    square = Image.new('RGB', (size, size + CAPTION_HEIGHT), 'white')
    square.paste(picture, ((size - width) // 2, (size - height) // 2))
    ImageDraw.Draw(square).text((2, size + 2), caption, fill='black')
    return square


def contact_sheet(rows: Mapping[str, Sequence[Image.Image]]) -> bytes:
    """A PNG with one row of tiles for each name.

    Args:
        rows: Tiles by the name of their row, for instance of a method. All tiles have one size, and
            each row may have its own number of them.
    """
    columns = max((len(tiles) for tiles in rows.values()), default=0)
    tile_width, tile_height = _tile_size(rows)
    step_x = tile_width + GAP
    step_y = tile_height + HEADING_HEIGHT + GAP
    sheet_size = (max(columns, 1) * step_x + GAP, max(len(rows), 1) * step_y + GAP)
    sheet = Image.new('RGB', sheet_size, 'white')
    draw = ImageDraw.Draw(sheet)
    for row, (name, tiles) in enumerate(rows.items()):
        top = row * step_y
        draw.text((GAP, top + 4), name, fill='black')
        for column, picture in enumerate(tiles):
            sheet.paste(picture, (GAP + column * step_x, top + 20))
    buffer = io.BytesIO()
    sheet.save(buffer, format='PNG')
    return buffer.getvalue()


def _tile_size(rows: Mapping[str, Sequence[Image.Image]]) -> tuple[int, int]:
    """Width and height of the tiles; of default ones if there are none."""
    for tiles in rows.values():
        if tiles:
            return tiles[0].size
    return 160, 160 + CAPTION_HEIGHT
