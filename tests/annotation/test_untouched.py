"""The model's own boxes that come back as they went out: nobody may have looked at them."""

import copy

import pytest

from mmal.annotation.batch import Batch, BatchImage
from mmal.annotation.export import write_batch
from mmal.annotation.formats import coco
from mmal.annotation.importer import import_file
from mmal.annotation.label_store import LabelStore
from mmal.annotation.validation import Rules
from mmal.errors import InputError
from tests.annotation.annotation_fixtures import CATEGORIES, studio_export, write


def guess(label, *bbox):
    return dict(label=label, score=0.9, bbox=[float(v) for v in bbox])


BATCH = Batch('round_00', ['car', 'truck'], CATEGORIES, '/data/pool', [
    BatchImage(3, 'a.jpg', 0, 640, 480, -1.5, [guess(1, 10, 20, 30, 40), guess(0, 300, 300, 50.25, 60.5)]),
    BatchImage(9, 'b.jpg', 1, 640, 480, -1.0, [guess(0, 100, 20, 300, 40)])])
ASKED = r'{} images? ha(s|ve) exactly the boxes that the model guessed, e.g. {}, .*--untouched accepted'


@pytest.fixture
def folder(tmp_path):
    write_batch(BATCH, tmp_path / 'round_00')
    return tmp_path / 'round_00'


def returned(*moved):
    """CVAT's file as it comes back: renumbered, and with some boxes moved by so many pixels, by their place in it."""
    content = copy.deepcopy(coco.export_cvat(BATCH))
    for at, pixels in moved:
        content['annotations'][at]['bbox'][0] += pixels
    content['annotations'].reverse()
    return content


def bring(folder, content, **rules):
    return import_file(folder, write(folder.parent / 'f.json', content), Rules(**rules))


@pytest.mark.parametrize(('moved', 'count', 'example'), [
    ([], 2, 'a.jpg'), ([(0, 5)], 1, 'b.jpg'), ([(2, 5)], 1, 'a.jpg'), ([(0, 0.009), (2, 0.02)], 1, 'a.jpg')])
def test_it_is_asked_what_the_models_own_boxes_are(folder, moved, count, example):
    with pytest.raises(InputError, match=ASKED.format(count, example)):
        bring(folder, returned(*moved))
    assert LabelStore.read(folder) == LabelStore()


def test_untouched_images_come_again_or_are_labels(folder):
    said = bring(folder, returned((2, 5)), untouched='unlabeled')
    assert '1 images newly labeled' in said
    assert "1 with the model's own boxes left out; 1 of 2 still to do" in said
    assert set(LabelStore.read(folder).entries) == {'9'}
    said = bring(folder, returned((2, 5)), untouched='accepted')
    assert "1 images newly labeled" in said
    assert "1 with the model's own boxes accepted; 0 of 2 still to do" in said
    assert len(LabelStore.read(folder).entries['3']['boxes']) == 2


@pytest.mark.parametrize('edit', ['class', 'fewer', 'more'])
def test_other_classes_or_other_numbers_of_boxes_are_somebodys(folder, edit):
    content = returned((2, 5))
    first = content['annotations'][-1]  # of a.jpg
    if edit == 'class':
        first['category_id'] = 1
    else:
        boxes = content['annotations']
        content['annotations'] = boxes[:-1] if edit == 'fewer' else [*boxes, dict(first, id=99)]
    assert '2 images newly labeled' in bring(folder, content)


def test_a_file_that_says_what_was_looked_at_is_not_asked_about(folder):
    content = returned()
    for image, labeled in zip(content['images'], (True, False), strict=True):
        image['labeled'] = labeled
    assert '1 images newly labeled' in bring(folder, content)
    assert set(LabelStore.read(folder).entries) == {'3'}


def test_label_studio_tells_submitted_from_shown(folder):
    results = [p['predictions'][0]['result'] for p in studio_export(BATCH, [None, None])]
    assert '2 images newly labeled' in bring(folder, studio_export(BATCH, results))
