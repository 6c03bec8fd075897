"""Split a COCO training file into a pool and a reference set, beside the untouched test file."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Set
from pathlib import Path
from typing import Any

from mmal.pool.order import shuffled


def part_of(coco: dict[str, Any], ids: Set[int]) -> dict[str, Any]:
    """Take some images of a COCO file, with their annotations.

    Args:
        coco: Contents of the file.
        ids: Ids of the images to take.
    """
    images = [image for image in coco['images'] if image['id'] in ids]
    annotations = []
    for annotation in coco['annotations']:
        if annotation['image_id'] in ids:
            annotations.append(annotation)
    return dict(coco, images=images, annotations=annotations)


def main() -> None:
    """Split what the command line names."""
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
            (args.target / entry.name).symlink_to(entry.resolve())
    coco = json.loads((args.source / 'train.json').read_text())
    ids = [image['id'] for image in coco['images']]
    val_ids = set(shuffled(ids, args.seed, 'val')[: args.val])
    train_ids = set(ids) - val_ids
    for name, part_ids in (('train', train_ids), ('val', val_ids)):
        content = json.dumps(part_of(coco, part_ids))
        (args.target / f'{name}.json').write_text(content)
    shutil.copyfile(args.source / 'test.json', args.target / 'test.json')


if __name__ == '__main__':
    main()
