"""Draw what runs chose in a round, one row per run, as in Figure 6 of the paper.

The boxes are those that labeling revealed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmal.errors import explained

if TYPE_CHECKING:
    from PIL import Image


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command.

    Args:
        prog: Name of the program in its usage.
    """
    parser = argparse.ArgumentParser(prog=prog, description='Pictures of the chosen images')
    parser.add_argument(
        'work_dirs', nargs='+', help='work dirs of runs, e.g. work_dirs/my_plan/*/seed_0'
    )
    parser.add_argument('--round', type=int, default=0, help='number of the round')
    parser.add_argument(
        '-n', type=int, default=8, help='images of each, in the order they were chosen'
    )
    parser.add_argument('--size', type=int, default=160, help='side of a picture in pixels')
    parser.add_argument('--out', default='contact_sheet.png', help='the picture')
    return parser


def draw_tiles(work_dir: Path, number: int, n_images: int, size: int) -> list[Image.Image]:
    """Pictures of the images that a round chose, best first.

    Args:
        work_dir: Work directory of the run.
        number: Number of the round.
        n_images: Number of pictures at most.
        size: Side of a picture in pixels.

    Returns:
        One picture per image, with its boxes and a caption.

    Raises:
        InputError: If the folder holds no run, or the round is not finished.
    """
    from mmal.reporting.contact_sheet import tile
    from mmal.reporting.finished_round import SavedRound

    saved = SavedRound(work_dir, number)
    tiles = []
    for image_id in saved.selected[:n_images]:
        picture = saved.picture(image_id)
        tiles.append(tile(picture, saved.boxes(image_id), saved.caption(image_id), size))
    return tiles


def main(argv: Sequence[str] | None = None, prog: str = 'mmal contact-sheet') -> None:
    """Draw one row of pictures per run.

    Args:
        argv: Arguments of the command. Defaults to None: those of this process.
        prog: Name of the program in its messages.

    Raises:
        SystemExit: If a folder holds no run, or the round is not finished.
    """
    args = build_parser(prog).parse_args(argv)
    from mmal.fileio.atomic import write_bytes
    from mmal.reporting.contact_sheet import contact_sheet

    rows: dict[str, list[Image.Image]] = {}
    with explained(prog):
        for folder in args.work_dirs:
            work_dir = Path(folder)
            name = '/'.join(work_dir.resolve().parts[-2:])
            rows[name] = draw_tiles(work_dir, args.round, args.n, args.size)
    write_bytes(args.out, contact_sheet(rows))
    n_images = sum(len(tiles) for tiles in rows.values())
    print(f'{n_images} images: {args.out}')


if __name__ == '__main__':
    main()
