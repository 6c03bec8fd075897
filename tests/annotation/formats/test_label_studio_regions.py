"""What people write beside a box or a class in Label Studio is passed over and counted, and never taken for a label."""

import pytest

from mmal.annotation.export import write_batch
from mmal.annotation.formats import label_studio, label_studio_regions
from mmal.annotation.importer import import_file
from mmal.annotation.label_store import LabelStore
from mmal.errors import InputError
from tests.annotation.annotation_fixtures import boxes_batch, classes_batch, rectangle, studio_export, write

PLACE = dict(x=10.0, y=10.0, width=20.0, height=20.0, rotation=0)


def region(kind, region_id='r1', **value):
    """A region as Label Studio writes it, of the given type and value."""
    return dict(id=region_id, from_name='any', to_name='image', type=kind, origin='manual', original_width=640,
                original_height=480, image_rotation=0, value=value)


BESIDE = dict(
    polygon=(region('polygonlabels', closed=True, points=[[1, 1], [9, 1], [9, 9]], polygonlabels=['car']), '1 polygon'),
    brush=(region('brushlabels', format='rle', rle=[1, 2], brushlabels=['car']), '1 brush stroke'),
    ellipse=(region('ellipselabels', x=5, y=5, radiusX=2, radiusY=3, rotation=0, ellipselabels=['car']), '1 ellipse'),
    keypoint=(region('keypointlabels', x=5, y=5, width=1, keypointlabels=['car']), '1 keypoint'),
    text=(region('textarea', text=['blurred']), '1 text'), rating=(region('rating', rating=4), '1 rating'),
    number=(region('number', number=3), '1 number'), date=(region('datetime', datetime='2026-01-01'), '1 date'),
    taxonomy=(region('taxonomy', taxonomy=[['a', 'b']]), '1 taxonomy'),
    choice=(region('choices', choices=['night']), '1 choice'),
    choice_of_the_box=(region('choices', 'box', choices=['truck'], **PLACE), '1 choice'),
    text_of_the_box=(region('textarea', 'box', text=['cut off'], **PLACE), '1 text'),
    relation=(dict(type='relation', from_id='box', to_id='r1', direction='right'), '1 relation'),
    unknown=(region('hologram', x=1), '1 hologram'))
PLAIN_BOX = rectangle('car', id='box')
SPLIT_BOX = [region('rectangle', 'box', **PLACE), region('labels', 'box', labels=['car'], **PLACE)]


def bring(tmp_path, batch, results, **annotation):
    write_batch(batch, tmp_path / 'b')
    return import_file(tmp_path / 'b', write(tmp_path / 'f.json', studio_export(batch, results, **annotation)))


def labels_of(tmp_path, image_id):
    entry = LabelStore.read(tmp_path / 'b').entries[image_id]
    return entry.get('boxes', entry.get('label'))


@pytest.mark.parametrize('box', [[PLAIN_BOX], SPLIT_BOX, SPLIT_BOX[::-1]])
@pytest.mark.parametrize('name', BESIDE)
def test_the_box_is_read_and_what_stands_beside_it_counted(tmp_path, name, box):
    beside, counted = BESIDE[name]
    said = bring(tmp_path, boxes_batch(), [[beside, *box]])
    assert said.endswith(f'1 regions that are no rectangles were passed over: {counted}')
    assert labels_of(tmp_path, '3') == [dict(bbox=pytest.approx([64, 48, 128, 96]), category='car')]


@pytest.mark.parametrize('name', sorted(set(BESIDE) - {'choice'}))
def test_the_class_of_an_image_is_read_and_what_stands_beside_it_counted(tmp_path, name):
    beside, counted = BESIDE[name]
    owl = region('choices', 'own', choices=['owl'])
    said = bring(tmp_path, classes_batch(), [[beside, owl, *([PLAIN_BOX] if 'box' in name else [])]])
    boxes = ', 1 rectangle' if 'box' in name else ''
    assert f'that are no classes of the whole image were passed over: {counted}{boxes}' in said
    assert labels_of(tmp_path, 'x/1.png') == 2


def test_kinds_are_counted_over_the_file_most_first(tmp_path):
    shapes = [BESIDE['polygon'][0]] * 4
    text = BESIDE['text'][0]
    said = bring(tmp_path, boxes_batch(), [[PLAIN_BOX, *shapes, text], [rectangle(), *shapes, text], [text, text]])
    assert '12 regions that are no rectangles were passed over: 8 polygons, 4 texts' in said


@pytest.mark.parametrize(('name', 'shapes'), [(n, BESIDE[n][1]) for n in ('polygon', 'brush', 'ellipse', 'keypoint')])
def test_objects_that_are_drawn_but_as_no_rectangle_do_not_make_an_image_empty(tmp_path, name, shapes):
    with pytest.raises(InputError, match=f'task 100: has {shapes} and no rectangle, .* Draw rectangles there, or skip'):
        bring(tmp_path, boxes_batch(), [[BESIDE[name][0], BESIDE['text'][0]]])
    assert LabelStore.read(tmp_path / 'b') == LabelStore()


def test_an_image_with_a_remark_alone_shows_no_object_and_that_is_said(tmp_path):
    said = bring(tmp_path, boxes_batch(), [[BESIDE['text'][0]], [BESIDE['rating'][0]], []])
    assert '2 images that were submitted with nothing else show no object (task 100, task 101)' in said
    assert labels_of(tmp_path, '3') == []


def test_an_image_of_which_only_a_region_was_classified_has_no_class(tmp_path):
    with pytest.raises(InputError, match='expected a class, found none'):
        bring(tmp_path, classes_batch(), [[rectangle('car', id='box'), BESIDE['choice_of_the_box'][0]]])
    with pytest.raises(InputError, match='expected a class, found none'):
        bring(tmp_path, classes_batch(), [[PLAIN_BOX, dict(region('choices', 'child',
         choices=['cat']), parentID='box')]])


def test_a_parent_that_is_no_id_is_none():
    regions = label_studio_regions.parse_regions([PLAIN_BOX, dict(region('choices', 'child', choices=['cat']),
     parentID=['box'])], 'task 1', has_boxes=False)
    assert regions.labels == ['cat']


@pytest.mark.parametrize('results', [
    [region('rectangle', 'box', **PLACE)], [region('rectangle', 'box', **PLACE), region('labels', 'other',
     labels=['car'])],
    [region('rectangle', 'box', **PLACE), region('choices', 'box', choices=['car'], **PLACE)],
    [region('rectangle', 'box', **PLACE), region('labels', 'box', labels=['car', 'truck'])]])
def test_a_rectangle_without_one_label_is_a_fault(tmp_path, results):
    with pytest.raises(InputError,
     match='task 100, region 0: expected one label, found (none|2). Give the rectangle one'):
        bring(tmp_path, boxes_batch(), [results])


def test_drafts_and_predictions_are_no_labels():
    task = dict(id=1, data=dict(image_id=3), annotations=[], drafts=[dict(result=[PLAIN_BOX])],
                predictions=[dict(result=[PLAIN_BOX])])
    parsed = label_studio.parse([task], has_boxes=True)
    assert [(image.state, image.boxes) for image in parsed.images] == [('unlabeled', [])]
    assert parsed.notes == []
