"""Cut the objects of a COCO set out as images with classes: python crops.py SOURCE OUT

SOURCE has train.json, test.json and the images. An object is cut out as a square about its box, half as large again.
Test objects that look like one of train are left out, and their number is printed. Written are OUT/train/, OUT/test/,
and the lists pool.txt, val.txt (400 of train, the reference set) and test.txt.
"""

import argparse
import json
from pathlib import Path

from PIL import Image

from mmal.pool.order import shuffled
from mmal.project.near_duplicates import near_duplicate_groups
from mmal.project.perceptual_hash import fingerprint

MARGIN = 1.5
N_REFERENCE = 400


def cut(source, part, out):
    """The objects of a part: path below OUT, class index, fingerprint."""
    coco = json.loads((source / f'{part}.json').read_text())
    categories = {category['id']: row for row, category in enumerate(coco['categories'])}
    files = {image['id']: image['file_name'] for image in coco['images']}
    (out / part).mkdir(parents=True, exist_ok=True)
    objects = []
    for annotation in coco['annotations']:
        x, y, width, height = annotation['bbox']
        half = MARGIN * max(width, height, 8) / 2
        center_x, center_y = x + width / 2, y + height / 2
        with Image.open(source / files[annotation['image_id']]) as image:
            square = image.convert('RGB').crop((round(center_x - half), round(center_y - half),
                                                round(center_x + half), round(center_y + half)))
        name = f'{part}/{annotation["id"]:06d}.jpg'
        square.save(out / name, quality=95)
        objects.append((name, categories[annotation['category_id']], fingerprint(square)))
    return objects, [category['name'] for category in coco['categories']]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', type=Path)
    parser.add_argument('out', type=Path)
    args = parser.parse_args()
    train, names = cut(args.source, 'train', args.out)
    test, _ = cut(args.source, 'test', args.out)
    both = train + test
    first = near_duplicate_groups([print_ for _, _, print_ in both], len(both))
    kept = [item for row, item in enumerate(test) if first[len(train) + row] >= len(train)]
    mixed = shuffled([name for name, _, _ in train], 0, 'val')
    reference = set(mixed[:N_REFERENCE])
    lists = dict(pool=[item for item in train if item[0] not in reference],
                 val=[item for item in train if item[0] in reference], test=kept)
    for name, objects in lists.items():
        (args.out / f'{name}.txt').write_text(''.join(f'{path} {label}\n' for path, label, _ in objects))
    (args.out / 'classes.txt').write_text('\n'.join(names) + '\n')
    print(f'{len(names)} classes; pool {len(lists["pool"])}, reference {len(reference)}, test {len(kept)}: '
          f'{len(test) - len(kept)} of {len(test)} test objects look like one of train and are left out.')


if __name__ == '__main__':
    main()
