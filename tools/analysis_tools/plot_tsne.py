"""Draw the pool of a run by t-SNE of the round's features, with what the round chose marked (paper, Figure 5)."""

import argparse
import logging
from pathlib import Path

from mmal.errors import explained


def parse_args():
    parser = argparse.ArgumentParser(description='t-SNE of the pool, with the chosen images marked')
    parser.add_argument('work_dir', help='the work dir of a run')
    parser.add_argument('--round', type=int, default=0, help='number of the round')
    parser.add_argument(
        '--layers',
        nargs='+',
        help='modules whose outputs are the features; what goes into the last layers by default',
    )
    parser.add_argument(
        '--most',
        type=int,
        default=5000,
        help='images embedded at most: all that were chosen, and a random part of the others',
    )
    parser.add_argument('--out', help='the picture; round_XX/tsne.png in the work dir by default')
    return parser.parse_args()


def main():
    args = parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    from mmal.engine.pool_features import pool_features
    from mmal.fileio.atomic import write_bytes
    from mmal.reporting.finished_round import SavedRound
    from mmal.reporting.tsne import draw_tsne, embed

    with explained('plot_tsne.py'):
        finished = SavedRound(args.work_dir, args.round)
        ids, features, classes = pool_features(finished, args.layers, logging.getLogger())
    selected = set(finished.selected)
    chosen = [i in selected for i in ids]
    rows, places = embed(
        features, most=args.most, kept=[row for row, is_chosen in enumerate(chosen) if is_chosen]
    )
    out = Path(args.out or finished.paths.folder / 'tsne.png')
    write_bytes(
        out,
        draw_tsne(
            places,
            [classes[r] for r in rows],
            [chosen[r] for r in rows],
            f'{Path(args.work_dir).name}, round {args.round}: classes as the model predicts them',
            len(ids),
        ),
    )
    print(f'{len(rows)} of {len(ids)} images: {out}')


if __name__ == '__main__':
    main()
