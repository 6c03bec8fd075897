"""A small batch of each kind, and files that answer it."""

import json

from mmal.annotation.batch import Batch, BatchImage
from mmal.annotation.formats import coco, label_studio

CATEGORIES = [dict(id=1, name='car'), dict(id=7, name='truck')]


def boxes_batch(name='round_00', root='/data/pool'):
    """Three images; the first has a prediction."""
    guess = [dict(label=1, score=0.9, bbox=[10.0, 20.0, 30.0, 40.0])]
    return Batch(name, ['car', 'truck'], CATEGORIES, root, [
        BatchImage(3, 'a.jpg', 0, 640, 480, -1.5, guess), BatchImage(9, 'sub/b c.jpg', 1, 640, 480, -1.0),
        BatchImage(11, 'c.jpg', 2, 320, 240)])


def classes_batch():
    return Batch('initial', ['cat', 'dog', 'owl'], [], '/data/pool', [
        BatchImage('x/1.png', 'x/1.png', 0, predictions=[dict(label=2, score=0.7)]),
        BatchImage('x/2.png', 'x/2.png', 1), BatchImage('y/1.png', 'y/1.png', 2)])


def coco_file(*boxes, images=None, categories=None, **more):
    """A COCO file of the boxes batch; a box is (image_id, category_id, bbox)."""
    images = coco.export(boxes_batch())['images'] if images is None else images
    annotations = [dict(id=n + 1, image_id=i, category_id=c, bbox=bbox, **more) for n, (i, c, bbox) in enumerate(boxes)]
    return dict(images=images, annotations=annotations, categories=categories or CATEGORIES)


def rectangle(name='car', x=10.0, y=10.0, width=20.0, height=20.0, size=(640, 480), **more):
    return dict(type='rectanglelabels', original_width=size[0], original_height=size[1], image_rotation=0,
                value=dict(x=x, y=y, width=width, height=height, rotation=0, rectanglelabels=[name]), **more)


def studio_export(batch, results, **annotation):
    """Raw export: task n has one annotation with the nth result; None: no annotation."""
    tasks = label_studio.tasks(batch)
    return [dict(task, id=100 + n, annotations=[] if result is None else [
        dict(dict(id=n, result=result, was_cancelled=False, lead_time=12.5, completed_by=dict(email='ann@x.org'),
                  updated_at='2026-01-01'), **annotation)])
            for n, (task, result) in enumerate(zip(tasks, results, strict=False))]


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path
