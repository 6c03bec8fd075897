"""Boxes of a whole set, by kind: counted, noted where few, refused where most."""

import math
import re
import time

import numpy as np
import pytest

from mmal.annotation.box_faults import BoxFault, examine_boxes
from mmal.annotation.box_forms import BoxForm

WIDTH, HEIGHT = 640, 480


def images(*, size=(WIDTH, HEIGHT), n=4):
    return [dict(id=i, file_name=f'{i}.jpg', width=size[0], height=size[1]) for i in range(n)]


def annotations(bboxes, **more):
    entries = []
    for n, bbox in enumerate(bboxes):
        area = bbox[2] * bbox[3]
        entries.append(dict(dict(id=n + 1, image_id=n % 4, bbox=list(bbox), area=area, iscrowd=0), **more))
    return entries


def good(n=40, seed=0, width=WIDTH, height=HEIGHT):
    """Boxes of all sizes and places as x, y, width and height."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 0.8, (n, 2))
    sides = np.minimum(rng.uniform(0.05, 0.4, (n, 2)), 1 - start)
    return np.concatenate([start * [width, height], sides * [width, height]], axis=1).tolist()


def examine(bboxes, **more):
    return examine_boxes(images(), annotations(bboxes, **more))


ONE_OF_A_KIND = {
    BoxFault.NOT_FINITE: [math.nan, 10, 20, 20],
    BoxFault.SHARES: [0.1, 0.2, 0.3, 0.4],
    BoxFault.NO_EXTENT: [10, 10, -5, 20],
    BoxFault.OTHER_FORM: [500, 400, 600, 470],
    BoxFault.OUTSIDE: [700, 10, 20, 20],
    BoxFault.BEYOND_EDGE: [-20, 10, 50, 50],
    BoxFault.TINY: [10, 10, 0.5, 20],
}
LEFT_OUT = [BoxFault.NOT_FINITE, BoxFault.SHARES, BoxFault.NO_EXTENT, BoxFault.OUTSIDE, BoxFault.TINY]


def test_nothing_is_said_of_boxes_that_are_boxes():
    found = examine(good())
    assert (found.n_boxes, found.counts, found.refusal, found.notes) == (40, {}, None, [])
    assert found.unusable == frozenset()


def test_a_set_without_boxes_has_no_fault():
    assert examine([]).refusal is None


@pytest.mark.parametrize('fault', ONE_OF_A_KIND)
def test_one_of_many_is_noted_with_its_image_and_left_out_if_training_drops_it(fault):
    found = examine([*good(), ONE_OF_A_KIND[fault]])
    assert found.counts == {fault: 1}
    assert found.refusal is None
    assert found.unusable == ({41} if fault in LEFT_OUT else frozenset())
    note, = found.notes
    assert note.startswith('1 of 41 boxes (2.4 %) ')
    assert 'on 0.jpg (640 x 480))' in note
    assert fault.value in note


@pytest.mark.parametrize(('bbox', 'fault'), [
    ([math.inf, 1, 2, 3], BoxFault.NOT_FINITE), ([1, 1, 2, -math.inf], BoxFault.NOT_FINITE),
    ([10, 10, 0, 20], BoxFault.NO_EXTENT), ([0, 0, 0, 0], BoxFault.NO_EXTENT), ([10, 10, 20, -1], BoxFault.NO_EXTENT),
    ([-30, 10, 20, 20], BoxFault.OUTSIDE), ([10, 480, 20, 20], BoxFault.OUTSIDE), ([10, -20, 20, 20], BoxFault.OUTSIDE),
    ([0, 0, 1, 1], BoxFault.SHARES), ([10, 10, 20, 0.9], BoxFault.TINY),
    ([621.5, 10, 20, 20], BoxFault.BEYOND_EDGE), ([10, 10, 20, 471.5], BoxFault.BEYOND_EDGE),
])
def test_a_box_is_of_one_kind(bbox, fault):
    assert examine([*good(), bbox]).counts == {fault: 1}


@pytest.mark.parametrize(('bbox', 'outcome'), [
    ([0, 0, 1, 1], 'as shares of an image do, and are kept, as they are a pixel wide and high ([0, 0, 1, 1] on'),
    ([0, 0, .5, 1], 'as shares of an image do, and are left out, as training drops them ([0, 0, 0.5, 1] on'),
    ([-20, 10, 20.5, 50], 'by more than a pixel and are cut at the edge'),
    ([-20, 10, 200, .5], 'by more than a pixel and are left out, as training drops them')])
def test_what_is_said_of_a_box_becomes_of_it(bbox, outcome):
    found = examine([*good(), bbox])
    note, = found.notes
    assert outcome in note
    assert found.unusable == ({41} if 'left out' in outcome else frozenset())


@pytest.mark.parametrize('bbox', [[621, 461, 20, 20], [-1, -1, 20, 20], [639, 479, 1, 1], [0, 0, 640, 480]])
def test_a_pixel_beyond_the_edge_is_no_fault(bbox):
    assert examine([*good(), bbox]).counts == {}


@pytest.mark.parametrize('more', [dict(area=0), dict(area=-4.0), dict(ignore=1)])
def test_boxes_that_mmdet_drops_for_their_area_or_mark_are_unusable(more):
    entries = annotations(good())
    entries[3].update(more)
    found = examine_boxes(images(), entries)
    assert found.counts == {BoxFault.NO_AREA: 1}
    assert found.unusable == {4}


@pytest.mark.parametrize('fault', [BoxFault.NOT_FINITE, BoxFault.NO_EXTENT, BoxFault.OUTSIDE, BoxFault.TINY,
                                   BoxFault.BEYOND_EDGE])
def test_half_are_noted_and_more_than_half_are_refused_with_three_examples(fault):
    bad = ONE_OF_A_KIND[fault]
    half = examine([*good(40), *[bad] * 40])
    assert half.refusal is None
    assert half.counts == {fault: 40}
    most = examine([*good(40), *[bad] * 41])
    assert most.refusal.startswith('41 of 81 boxes (50.6 %)')
    assert most.refusal.count('.jpg') == 3
    assert most.notes == []


@pytest.mark.parametrize(('fault', 'cure'), [
    (BoxFault.NOT_FINITE, 'Export the file again'),
    (BoxFault.NO_EXTENT, r'\[x \+ width, y \+ height, -width, -height\]'),
    (BoxFault.OUTSIDE, 'images of another size'), (BoxFault.TINY, 'pixels of the image')])
def test_a_refusal_has_its_cure(fault, cure):
    assert re.search(cure, examine([ONE_OF_A_KIND[fault]] * 5).refusal)


def as_corners(x, y, w, h):
    return [x, y, x + w, y + h]


def as_rows_first(x, y, w, h):
    return [y, x, y + h, x + w]


def as_centre(x, y, w, h):
    return [x + w / 2, y + h / 2, w, h]


def as_transposed(x, y, w, h):
    return [y, x, h, w]


FORMS = {BoxForm.CORNERS: as_corners, BoxForm.ROWS_FIRST: as_rows_first, BoxForm.CENTRE: as_centre,
         BoxForm.TRANSPOSED: as_transposed}


@pytest.mark.parametrize('form', FORMS)
def test_another_form_is_told_and_named_with_the_cure(form):
    found = examine([FORMS[form](*bbox) for bbox in good()])
    assert found.refusal == found.other_form
    expected = f'the boxes look like {form.value}, expected [x, y, width, height] as COCO has them: '
    assert found.refusal.startswith(expected)


@pytest.mark.parametrize('form', [form for form in FORMS if form is not BoxForm.CENTRE])
def test_a_few_boxes_of_another_form_are_noted(form):
    few = [FORMS[form](*bbox) for bbox in good(12, seed=1)]
    found = examine([*good(40), *few])
    assert found.refusal is None
    assert f'would fit as {form.value},' in ' '.join(found.notes)


def test_a_few_that_pass_the_edge_by_little_are_not_taken_for_centres():
    few = [as_centre(*bbox) for bbox in good(12, seed=1)]
    assert set(examine([*good(40), *few]).counts) == {BoxFault.BEYOND_EDGE}


@pytest.mark.parametrize('seed', range(20))
def test_no_other_form_is_seen_in_what_is_right(seed):
    assert examine(good(seed=seed)).other_form is None


def test_large_objects_that_pass_the_edge_a_little_are_not_taken_for_corners():
    assert examine([[10, 10, 640, 480]] * 5).other_form is None


def test_two_boxes_tell_no_form_and_three_do():
    corners = [as_corners(400, 300, 100, 100)] * 2
    assert examine([*corners, [10, 10, 20, 20]]).other_form is None
    assert examine([*corners, corners[0]]).other_form is not None


def test_no_form_is_seen_where_sizes_are_not_known():
    unknown = [dict(image, width=None, height=None) for image in images()]
    found = examine_boxes(unknown, annotations([as_corners(*bbox) for bbox in good()]))
    assert (found.refusal, found.counts) == (None, {})


@pytest.mark.parametrize(('form', 'said'), [
    (lambda *bbox: list(bbox), 'FiftyOne'), (as_corners, 'corners [x1, y1, x2, y2]: multiply'),
    (as_centre, '[centre x, centre y, width, height]: multiply')])
@pytest.mark.parametrize(('whole', 'called'), [(1, 'shares'), (100, 'percents')])
def test_shares_and_percents_are_told_in_every_form(form, said, whole, called):
    found = examine([form(*bbox) for bbox in good(width=whole, height=whole)])
    assert f'look like {called}, expected pixels' in found.refusal
    if whole == 1:
        assert said in found.refusal


def test_shares_of_half_the_boxes_are_noted_and_of_more_are_refused():
    shares = good(41, width=1, height=1)
    assert examine([*good(40), *shares[:40]]).refusal is None
    assert 'look like shares' in examine([*good(40), *shares]).refusal


@pytest.mark.parametrize(('n', 'reach', 'refused'), [(19, 100, False), (20, 100, True), (40, 75, False)])
def test_percents_are_refused_where_they_are_many_and_reach_the_end(n, reach, refused):
    found = examine([*good(n - 1, width=reach, height=reach), [0, 0, reach, reach]])
    assert found.percents is not None
    assert (found.refusal is not None) is refused
    if not refused:
        assert 'may be percents' in found.notes[-1]


def test_small_images_have_boxes_within_100():
    small = images(size=(200, 150))
    found = examine_boxes(small, annotations(good(width=100, height=100)))
    assert found.percents is None


def test_all_crowds_leave_nothing_to_train_on():
    assert 'all 40 boxes are crowds (iscrowd)' in examine(good(), iscrowd=1).refusal
    entries = annotations(good(), iscrowd=1)
    entries[0]['iscrowd'] = 0
    found = examine_boxes(images(), entries)
    assert found.refusal is None
    assert found.notes[0].startswith('39 of 40 boxes (97.5 %) are crowds')
    assert found.unusable == frozenset()


def test_a_set_of_two_without_a_usable_box_is_refused():
    found = examine([[10, 10, 0, 20], [math.nan, 1, 2, 3]])
    assert found.refusal.startswith('none of the 2 boxes can be trained on: [10, 10, 0, 20] on 0.jpg')


def test_boxes_that_are_the_whole_image_are_noted():
    found = examine([[0, 0, 640, 480]] * 4 + [[10, 10, 30, 30]])
    assert found.refusal is None
    assert found.notes[0].startswith('4 of 5 boxes (80.0 %) are the whole image')


def test_what_is_unusable_is_what_mmdet_drops():
    """mmdet's own reader, on boxes of every kind."""
    pytest.importorskip('mmdet')
    from mmdet.datasets import CocoDataset

    rng = np.random.default_rng(3)
    entries = annotations((rng.choice([-50, -1, 0, 0.5, 1, 30, 639, 640, 700], (400, 4))).tolist())
    for entry in entries:
        entry['area'] = float(rng.choice([entry['area'], 0, 4]))
        entry['category_id'] = 1
    dataset = CocoDataset(lazy_init=True, data_prefix=dict(img=''), metainfo=dict(classes=('a',)), serialize_data=False)
    dataset.cat_ids, dataset.cat2label = [1], {1: 0}
    kept = set()
    for entry in entries:
        info = dict(img_id=0, **images()[0])
        if dataset.parse_data_info(dict(raw_img_info=info, raw_ann_info=[entry]))['instances']:
            kept.add(entry['id'])
    assert 10 < len(kept) < 390
    assert {entry['id'] for entry in entries} - examine_boxes(images(), entries).unusable == kept


def test_a_hundred_thousand_boxes_take_no_time():
    entries = annotations(good(100_000))
    start = time.perf_counter()
    examine_boxes(images(), entries)
    assert time.perf_counter() - start < 5
