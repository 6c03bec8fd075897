"""Draw the learning curves of several runs into one picture."""

import argparse
from pathlib import Path

from mmal.analysis.curve import draw, main_metric
from mmal.artifacts import read_json, write_bytes


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path, help='PNG to write')
    parser.add_argument('curves', nargs='+', metavar='NAME=curve.json', help='runs, each with the name to show')
    args = parser.parse_args()
    curves = {name: read_json(path) for name, path in (c.split('=', 1) for c in args.curves)}
    write_bytes(args.out, draw(curves, main_metric(next(iter(curves.values())))))


if __name__ == '__main__':
    main()
