"""Browse the images that a round chose, best first, with the boxes or the label revealed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmal.errors import InputError, explained

from .arguments import add_cfg_options

if TYPE_CHECKING:
    import numpy as np
    from mmengine.visualization import Visualizer
    from numpy.typing import NDArray

    from mmal.reporting.finished_round import SavedRound

MIN_SIDE = 400
"""Pixels. Smaller pictures are enlarged so that names can be read."""


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command.

    Args:
        prog: Name of the program in its usage.
    """
    parser = argparse.ArgumentParser(prog=prog, description='Browse the images that a round chose')
    parser.add_argument('work_dir', help='the work dir of a run')
    parser.add_argument(
        '--round', type=int, help='number of the round; the last finished one by default'
    )
    parser.add_argument('--output-dir', help='where to write the pictures; nowhere by default')
    parser.add_argument('--not-show', action='store_true', help='open no window')
    parser.add_argument(
        '--show-interval', type=float, default=2, help='seconds a picture is shown; 0: until a key'
    )
    add_cfg_options(
        parser,
        'override settings of the config in the work dir, e.g. data_root=/where/images/are/now',
    )
    return parser


def draw_image(visualizer: Visualizer, saved: SavedRound, image_id: Hashable) -> NDArray[np.uint8]:
    """Draw one image with its boxes, their class names and a caption.

    Args:
        visualizer: Visualizer to draw with.
        saved: The round.
        image_id: Pool id of the image.

    Returns:
        The picture as RGB, of shape (height, width, 3). A small one is enlarged by a whole factor.
    """
    import numpy as np
    from PIL import Image

    picture = saved.picture(image_id)
    scale = max(1, round(MIN_SIDE / max(picture.size)))
    size = (picture.width * scale, picture.height * scale)
    visualizer.set_image(np.asarray(picture.resize(size, Image.Resampling.NEAREST)))
    background = dict(facecolor='black', alpha=0.6, edgecolor='none')
    for x, y, width, height, name in saved.boxes(image_id):
        corners = np.array([[x, y, x + width, y + height]], dtype=float) * scale
        visualizer.draw_bboxes(corners, edge_colors='yellow', line_widths=2)
        visualizer.draw_texts(
            name,
            corners[0, :2] + 2,
            font_sizes=10,
            colors='yellow',
            vertical_alignments='top',
            bboxes=dict(background, pad=0.5),
        )
    visualizer.draw_texts(
        saved.caption(image_id),
        np.array([4, size[1] - 4]),
        font_sizes=10,
        colors='white',
        vertical_alignments='bottom',
        bboxes=background,
    )
    drawn: NDArray[np.uint8] = visualizer.get_image()
    return drawn


def require_display() -> None:
    """Check that pictures can be shown.

    Raises:
        InputError: If this is Linux without a display.
    """
    has_display = 'DISPLAY' in os.environ or 'WAYLAND_DISPLAY' in os.environ
    if sys.platform == 'linux' and not has_display:
        raise InputError(
            'There is no display to show pictures on. Write them by --not-show --output-dir FOLDER.'
        )


def browse(saved: SavedRound, out: Path | None, show: bool, interval: float) -> None:
    """Show or write each chosen image of a round, best first.

    Args:
        saved: The round.
        out: Folder that the pictures are written to; None to write none.
        show: Whether to show each picture in a window.
        interval: Seconds that each picture is shown; 0 waits for a key.
    """
    from mmengine.visualization import Visualizer
    from PIL import Image

    visualizer = Visualizer()
    for rank, image_id in enumerate(saved.selected):
        picture = draw_image(visualizer, saved, image_id)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            name = f'{rank:04d}_{Path(str(image_id)).stem}.png'
            Image.fromarray(picture).save(out / name)
        if show:
            title = f'rank {rank}: {saved.caption(image_id)}'
            visualizer.show(picture, title, wait_time=interval)


def main(argv: Sequence[str] | None = None, prog: str = 'mmal browse-selection') -> None:
    """Show or write the images that a round chose.

    Args:
        argv: Arguments of the command. Defaults to None: those of this process.
        prog: Name of the program in its messages.

    Raises:
        SystemExit: If there is nothing to do, no display, or no finished round.
    """
    parser = build_parser(prog)
    args = parser.parse_args(argv)
    if args.not_show and not args.output_dir:
        parser.error('nothing to do: --not-show without --output-dir')
    from mmal.reporting.finished_round import SavedRound
    from mmal.run.saved_run import closed_rounds

    with explained(prog):
        if not args.not_show:
            require_display()
        number = closed_rounds(args.work_dir)[-1] if args.round is None else args.round
        saved = SavedRound(args.work_dir, number, options=args.cfg_options)
        out = Path(args.output_dir) if args.output_dir else None
        browse(saved, out, not args.not_show, args.show_interval)
        destination = f': {out}' if out else ''
        print(f'{len(saved.selected)} images of round {number}{destination}')


if __name__ == '__main__':
    main()
