"""Split a COCO training file into a pool and a reference set, beside the untouched test file."""

import argparse
import json
import os
from pathlib import Path

from mmal.pool.order import shuffled


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', type=Path, help='folder with train.json, test.json and images')
    parser.add_argument(
        'target', type=Path, help='folder to make: links to the images, and three annotation files'
    )
    parser.add_argument('--val', type=int, default=100, help='images of the reference set')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    args.target.mkdir(parents=True)
    for entry in args.source.iterdir():
        if entry.is_dir():
            os.symlink(entry.resolve(), args.target / entry.name)
    train = json.loads((args.source / 'train.json').read_text())
    val = set(shuffled([i['id'] for i in train['images']], args.seed, 'val')[: args.val])
    for name, chosen in (('train', lambda i: i not in val), ('val', lambda i: i in val)):
        part = dict(
            train,
            images=[i for i in train['images'] if chosen(i['id'])],
            annotations=[a for a in train['annotations'] if chosen(a['image_id'])],
        )
        (args.target / f'{name}.json').write_text(json.dumps(part))
    (args.target / 'test.json').write_text((args.source / 'test.json').read_text())


if __name__ == '__main__':
    main()
