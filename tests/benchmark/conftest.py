"""A synthetic comparison folder: curves, queries and labels as the loop leaves them."""

import json

import pytest

from mmal.fileio.checksummed import write_checksummed

METRIC = 'coco/bbox_mAP'


def boxes_of(image, n):
    """n boxes of an image, their sides 20, 50 and 120 pixels in turn, their classes in turn."""
    return [dict(image_id=image, category_id=(image + i) % 2 + 1, bbox=[0, 0, side, side])
            for i, side in zip(range(n), (20, 50, 120) * n, strict=False)]


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


class Folder:
    """What a test changes before it reads; paths and contents of one comparison."""

    def __init__(self, root, methods, seeds, rounds, detection, baseline, target, metric):
        self.root, self.detection, self.metric = root, detection, metric
        self.record = dict(name='Tiny <set> & more', metric=metric, baseline=baseline, target=target, seeds=list(seeds),
                           methods=list(methods), commit='abc123', versions=dict(torch='2.12.1'),
                           command='python tools/al_compare.py', runs=[])
        for k, method in enumerate(methods):
            for seed in seeds:
                self.record['runs'].append(dict(method=method, seed=seed, folder=f'{method}/seed_{seed}', state='done',
                                                error=None))
                self.curve(method, seed, [0.1 + 0.1 * r + 0.02 * k * r + 0.01 * seed for r in range(rounds)],
                           boxes=[10 * (r + 1) * (k + 1) for r in range(rounds)])
                self.queries(method, seed, [[100 + 5 * r + i + k for i in range(5)] for r in range(rounds)])
        self.save()

    def run(self, method, seed):
        return next(r for r in self.record['runs'] if (r['method'], r['seed']) == (method, seed))

    def path(self, method, seed):
        return self.root / self.run(method, seed)['folder']

    def curve(self, method, seed, values, images=None, boxes=None):
        """Renew a curve; None for a round without the metric."""
        images = images or [5 * (r + 1) for r in range(len(values))]
        boxes = boxes if boxes and self.detection else images
        write(self.path(method, seed) / 'curve.json', [
            dict(round=r, images=i, boxes=b, metrics={'other': 1.0} | ({} if v is None else {self.metric: v}),
                 seconds=dict(train=10.0 + r, score=1.0))
            for r, (v, i, b) in enumerate(zip(values, images, boxes, strict=True))])

    def queries(self, method, seed, chosen, boxes=2):
        """Renew what a run chose: lists of image ids; labeled.json holds everything so far, as the loop's does."""
        so_far = []
        for r, ids in enumerate(chosen):
            so_far = so_far + ids
            folder = self.path(method, seed) / f'round_{r:02d}'
            write(folder / 'selected.json', ids)
            write(folder / 'labeled.json', dict(
                images=[dict(id=i) for i in so_far], annotations=[a for i in so_far for a in boxes_of(i, boxes)],
                categories=[dict(id=1, name='cat'), dict(id=2, name='dog')]) if self.detection else [
                    dict(id=i, label=i % 2) for i in so_far])

    def fail(self, method, seed, error='CUDA out of memory\nlong trace', state='failed'):
        self.run(method, seed).update(state=state, error=error)
        self.save()

    def save(self, **changes):
        self.record.update(changes)
        write_checksummed(self.root / 'comparison.json', self.record)
        return self.root


@pytest.fixture
def folder(tmp_path):
    """Make a comparison folder: random and ISAL, three seeds, four rounds, boxes twice the images for random.

    By default ISAL is better by 0.02 a round, and has twice random's boxes.
    """
    def make(methods=('random', 'ISAL'), seeds=(0, 1, 2), rounds=4, detection=True, baseline='random', target=None,
             metric=METRIC):
        return Folder(tmp_path / 'comparison', methods, seeds, rounds, detection, baseline, target, metric)

    return make
