"""Choose a pool, a reference set and a test set from a folder of CIFAR-10 images, train/CLASS/ and test/CLASS/."""

import argparse
from pathlib import Path

from mmal.pool.order import shuffled


def long_tail(lines, n_classes, ratio):
    """The first lines of each class, fewer from class to class by the same factor."""
    by_class = [[line for line in lines if line.split()[1] == str(label)] for label in range(n_classes)]
    kept = []
    for label, own in enumerate(by_class):
        kept += own[:round(len(own) * ratio ** (-label / (n_classes - 1)))]
    return kept


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('root', type=Path, help='folder with train/ and test/; the lists are written into it')
    parser.add_argument('--pool', type=int, default=4000)
    parser.add_argument('--val', type=int, default=500, help='images of the reference set')
    parser.add_argument('--test', type=int, default=1000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--tail', type=float, help='write pool_lt.txt, too: part of the pool, in which the first class '
                        'has so many times as many images as the last')
    args = parser.parse_args()
    classes = sorted(p.name for p in (args.root / 'train').iterdir())
    for part, names in (('train', dict(pool=args.pool, val=args.val)), ('test', dict(test=args.test))):
        lists = {name: [] for name in names}
        for label, cls in enumerate(classes):
            images = [f'{part}/{cls}/{p.name}' for p in sorted((args.root / part / cls).glob('*.jpg'))]
            images = shuffled(images, args.seed, cls)
            for name, size in names.items():
                chosen, images = images[:size // len(classes)], images[size // len(classes):]
                lists[name] += [f'{image} {label}\n' for image in chosen]
        if args.tail and part == 'train':
            lists['pool_lt'] = long_tail(lists['pool'], len(classes), args.tail)
        for name, lines in lists.items():
            (args.root / f'{name}.txt').write_text(''.join(lines))


if __name__ == '__main__':
    main()
