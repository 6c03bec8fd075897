"""One image of a file, by itself."""

from dataclasses import replace

import pytest

from mmal.annotation.image_validation import validate_image
from mmal.annotation.parsed import ParsedBox, ParsedImage
from tests.annotation.annotation_fixtures import boxes_batch, classes_batch

BATCH = boxes_batch()


def entry_of(*bboxes, clip=False, category='car'):
    boxes = [ParsedBox(category, bbox, f'box {n}') for n, bbox in enumerate(bboxes)]
    return validate_image(BATCH, BATCH.images[0], ParsedImage(3, 'a.jpg', 'line 1', boxes), clip)


@pytest.mark.parametrize(('bbox', 'cut'), [
    ([-0.5, 0, 10, 10], [0, 0, 9.5, 10]), ([630, 470, 11, 11], [630, 470, 10, 10])])
def test_a_box_a_pixel_beyond_the_edge_is_cut_without_a_fault(bbox, cut):
    assert entry_of(bbox) == ({'boxes': [{'bbox': cut, 'category': 'car'}]}, [])


def test_faults_come_with_what_is_right():
    entry, faults = entry_of([-5, 0, 10, 10], [1, 1, 2, 2], [1, 1, 0, 2])
    assert entry == {'boxes': [{'bbox': [1, 1, 2, 2], 'category': 'car'}]}
    assert [fault[:15] for fault in faults] == ['box 0 on a.jpg:', 'box 2 on a.jpg:']
    assert entry_of([-5, 0, 10, 10], clip=True) == ({'boxes': [{'bbox': [0, 0, 5, 10], 'category': 'car'}]}, [])


def test_a_box_can_have_two_faults():
    entry, faults = entry_of([1, 1, 0, 2], category='zebra')
    assert entry == {'boxes': []}
    assert ["'zebra' is no class" in faults[0], 'above 0' in faults[1]] == [True, True]


def test_classes_of_whole_images_become_indices():
    batch = classes_batch()
    parsed = ParsedImage('x/1.png', None, 'line 1', labels=['owl', 'cat'], who='ann', seconds=2.5)
    several = validate_image(replace(batch, several_labels=True), batch.images[0], parsed, False)
    assert several == ({'who': 'ann', 'seconds': 2.5, 'label': [2, 0]}, [])
    _, faults = validate_image(batch, batch.images[0], parsed, False)
    assert 'the model takes one an image' in faults[0]
