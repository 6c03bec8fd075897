"""Look through the images that a round chose, best first, with the boxes or the label that were revealed."""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from mmengine.config import DictAction

from mmal.errors import InputError, explained


def parse_args():
    parser = argparse.ArgumentParser(description='Browse the images that a round chose')
    parser.add_argument('work_dir', help='the work dir of a run')
    parser.add_argument(
        '--round', type=int, help='number of the round; the last finished one by default'
    )
    parser.add_argument('--output-dir', help='where to write the pictures; nowhere by default')
    parser.add_argument('--not-show', action='store_true', help='open no window')
    parser.add_argument(
        '--show-interval', type=float, default=2, help='seconds a picture is shown; 0: until a key'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='override settings of the config in the work dir, e.g. data_root=/where/images/are/now',
    )
    args = parser.parse_args()
    if args.not_show and not args.output_dir:
        parser.error('nothing to do: --not-show without --output-dir')
    return args


def drawn(visualizer, finished, image_id) -> np.ndarray:
    """The picture of one image, RGB; small ones are enlarged so that names can be read."""
    from PIL import Image

    picture = finished.picture(image_id)
    scale = max(1, round(400 / max(picture.size)))
    large = picture.resize([side * scale for side in picture.size], Image.Resampling.NEAREST)
    visualizer.set_image(np.asarray(large))
    for x, y, w, h, name in finished.boxes(image_id):
        corners = np.array([[x, y, x + w, y + h]], dtype=float) * scale
        visualizer.draw_bboxes(corners, edge_colors='yellow', line_widths=2)
        visualizer.draw_texts(
            name,
            corners[0, :2] + 2,
            font_sizes=10,
            colors='yellow',
            vertical_alignments='top',
            bboxes=dict(facecolor='black', alpha=0.6, pad=0.5, edgecolor='none'),
        )
    visualizer.draw_texts(
        finished.caption(image_id),
        np.array([4, large.height - 4]),
        font_sizes=10,
        colors='white',
        vertical_alignments='bottom',
        bboxes=dict(facecolor='black', alpha=0.6, edgecolor='none'),
    )
    return visualizer.get_image()


def main():
    args = parse_args()
    from mmengine.visualization import Visualizer
    from PIL import Image

    from mmal.reporting.finished_round import SavedRound
    from mmal.run.saved_run import closed_rounds

    with explained('browse_selection.py'):
        if (
            not args.not_show
            and sys.platform == 'linux'
            and not {'DISPLAY', 'WAYLAND_DISPLAY'} & set(os.environ)
        ):
            raise InputError(
                'There is no display to show pictures on. Write them by --not-show --output-dir FOLDER.'
            )
        number = closed_rounds(args.work_dir)[-1] if args.round is None else args.round
        finished = SavedRound(args.work_dir, number, options=args.cfg_options)
        out, visualizer = Path(args.output_dir) if args.output_dir else None, Visualizer()
        for rank, image_id in enumerate(finished.selected):
            picture = drawn(visualizer, finished, image_id)
            if out:
                out.mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture).save(out / f'{rank:04d}_{Path(str(image_id)).stem}.png')
            if not args.not_show:
                visualizer.show(
                    picture,
                    f'rank {rank}: {finished.caption(image_id)}',
                    wait_time=args.show_interval,
                )
        print(f'{len(finished.selected)} images of round {number}' + (f': {out}' if out else ''))


if __name__ == '__main__':
    main()
