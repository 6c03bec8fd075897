"""Images side by side with their boxes: what each method chose (paper, Figure 6)."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw


def tile(
    image: Image.Image,
    boxes: Sequence[tuple[float, float, float, float, str]],
    caption: str,
    size: int = 160,
) -> Image.Image:
    """One image, shrunk or enlarged into a square of ``size`` pixels, with its boxes and a line under it.

    Args:
        image: Any mode.
        boxes: x, y, width and height in pixels of the image, and a label.
        caption: Under the picture.
        size: Side of the square.
    """
    scale = size / max(image.size)
    small = image.convert('RGB').resize([max(1, round(side * scale)) for side in image.size])
    draw = ImageDraw.Draw(small)
    for x, y, w, h, label in boxes:
        corners = [v * scale for v in (x, y, x + w, y + h)]
        draw.rectangle(corners, outline=(255, 200, 0), width=2)
        draw.text(
            (corners[0] + 3, corners[1] + 1),
            label,
            fill=(255, 200, 0),
            stroke_width=1,
            stroke_fill=(0, 0, 0),
        )
    square = Image.new('RGB', (size, size + 16), 'white')
    square.paste(small, ((size - small.width) // 2, (size - small.height) // 2))
    ImageDraw.Draw(square).text((2, size + 2), caption, fill='black')
    return square


def contact_sheet(rows: dict[str, list[Image.Image]]) -> bytes:
    """PNG with a row of tiles for each name.

    Args:
        rows: Tiles of one size by name, e.g. of a method; every row may have its own number.
    """
    width = max((len(tiles) for tiles in rows.values()), default=0)
    first = next((t for tiles in rows.values() for t in tiles), Image.new('RGB', (160, 176)))
    step = (first.width + 6, first.height + 22)
    sheet = Image.new(
        'RGB', (max(width, 1) * step[0] + 6, max(len(rows), 1) * step[1] + 6), 'white'
    )
    draw = ImageDraw.Draw(sheet)
    for n, (name, tiles) in enumerate(rows.items()):
        draw.text((6, n * step[1] + 4), name, fill='black')
        for m, one in enumerate(tiles):
            sheet.paste(one, (6 + m * step[0], n * step[1] + 20))
    buffer = io.BytesIO()
    sheet.save(buffer, format='PNG')
    return buffer.getvalue()
