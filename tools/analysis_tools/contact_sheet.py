"""Draw what runs chose in a round, with the boxes that labeling revealed, a row a run (paper, Figure 6)."""

import argparse
from pathlib import Path

from mmal.errors import explained


def parse_args():
    parser = argparse.ArgumentParser(description='Pictures of the chosen images')
    parser.add_argument(
        'work_dirs', nargs='+', help='work dirs of runs, e.g. work_dirs/my_plan/*/seed_0'
    )
    parser.add_argument('--round', type=int, default=0, help='number of the round')
    parser.add_argument(
        '-n', type=int, default=8, help='images of each, in the order they were chosen'
    )
    parser.add_argument('--size', type=int, default=160, help='side of a picture in pixels')
    parser.add_argument('--out', default='contact_sheet.png', help='the picture')
    return parser.parse_args()


def main():
    args = parse_args()
    from mmal.fileio.atomic import write_bytes
    from mmal.reporting.contact_sheet import contact_sheet, tile
    from mmal.reporting.finished_round import SavedRound

    rows = {}
    with explained('contact_sheet.py'):
        for work_dir in map(Path, args.work_dirs):
            finished = SavedRound(work_dir, args.round)
            name = '/'.join(work_dir.resolve().parts[-2:])
            rows[name] = [
                tile(finished.picture(i), finished.boxes(i), finished.caption(i), args.size)
                for i in finished.selected[: args.n]
            ]
    write_bytes(args.out, contact_sheet(rows))
    print(f'{sum(map(len, rows.values()))} images: {args.out}')


if __name__ == '__main__':
    main()
