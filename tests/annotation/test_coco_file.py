"""COCO files as programs write them: what is plain is made good and said, what is not is refused with its entry."""

import copy
import json
import math
import re

import pytest

from mmal.annotation.box_faults import BoxFault, examine_boxes
from mmal.annotation.coco_file import class_names, parse_coco, read_contents
from mmal.errors import InputError


def image(image_id=1, name='a.jpg', **more):
    return dict(id=image_id, file_name=name, width=64, height=48, **more)


def box(annotation_id=1, image_id=1, category_id=1, **more):
    return dict(id=annotation_id, image_id=image_id, category_id=category_id,
                bbox=[1, 2, 10, 20], area=200, iscrowd=0) | more


def category(category_id=1, name='cat', **more):
    return dict(id=category_id, name=name, **more)


def coco(images=None, annotations=None, categories=None, **more):
    return dict(images=images or [image()], annotations=annotations or [box()],
                categories=categories or [category()]) | more


def without(entry, *keys):
    return {key: value for key, value in entry.items() if key not in keys}


def refusal(content):
    with pytest.raises(InputError) as raised:
        parse_coco(json.dumps(content))
    return str(raised.value)


def test_a_whole_file_is_taken_as_it_is():
    content = coco([image(), image(2, 'b.jpg')], [box(), box(7, 2, bbox=[0.5, 0.5, 3.25, 4])])
    file = parse_coco(json.dumps(content))
    assert file.contents == content
    assert not file.changed
    assert file.notes == []


def test_what_is_read_is_not_changed():
    content = coco(annotations=[without(box(0), 'iscrowd', 'area', 'id')])
    before = copy.deepcopy(content)
    assert read_contents(content).changed
    assert content == before


# --- the text -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16'])
def test_the_mark_of_an_encoding_is_passed_over_and_the_host_is_given_a_file_without(encoding):
    file = parse_coco(json.dumps(coco()).encode(encoding))
    assert file.contents == coco()
    assert file.changed
    assert parse_coco('\ufeff' + json.dumps(coco())).contents == coco()


@pytest.mark.parametrize(('text', 'message'), [
    ('', 'is not whole JSON: .* Export or download it again'),
    ('{"images": [', 'is not whole JSON'),
    ('<html>', 'is not whole JSON'),
    ('{"images": [{"file_name": "\xe4.jpg"}]}'.encode('latin-1'), 'cannot be read: expected text in UTF-8'),
    (b'PK\x03\x04\x00\xff', 'if it is an archive, unpack it'),
    ('[' * 100_000, 'nested too deeply'),
    ('[]', 'is no COCO file: expected .*"images".* found a list of 0'),
    ('7', 'is no COCO file: .* found 7'),
    ('null', 'is no COCO file'),
    ('{}', 'is no COCO file: .* found an empty object'),
    ('{"shapes": [], "version": "5"}', 'is no COCO file: .* found an object with the keys shapes, version'),
    ('{"images": null}', "expected a list of objects as 'images', found None"),
    ('{"images": {"1": {}}}', "expected a list of objects as 'images'"),
    ('{"images": ["a.jpg"]}', "expected a list of objects as 'images'"),
    ('{"images": [], "annotations": {}}', "expected a list of objects as 'annotations'"),
    ('{"images": [], "categories": ["cat"]}', "expected a list of objects as 'categories'")])
def test_what_is_no_coco_file_is_refused_with_what_was_found(text, message):
    with pytest.raises(InputError, match=message):
        parse_coco(text)


@pytest.mark.parametrize('change', [dict(annotations=None), dict(annotations=[]), 'annotations'])
def test_annotations_that_are_missing_or_null_are_none(change):
    content = without(coco(), change) if isinstance(change, str) else coco() | change
    file = read_contents(content)
    assert file.annotations == []
    assert file.changed == (change != dict(annotations=[]))  # pycocotools ends in an error on null


@pytest.mark.parametrize('categories', [None, [], 'missing'])
def test_annotations_without_categories_are_refused(categories):
    content = without(coco(), 'categories') if categories == 'missing' else coco() | dict(categories=categories)
    assert re.search('1 annotations?, but no "categories".* Export it again, or add', refusal(content))


# --- images ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('size', [
    dict(width=None, height=None), dict(width=-1, height=-1), dict(width=0, height=0), dict(width='-1', height='0'),
    dict(width=None, height=48), dict(width=64, height=-1), 'missing'])
def test_a_size_that_a_file_does_not_know_is_none(size):
    entry = without(image(), 'width', 'height') if size == 'missing' else image() | size
    file = read_contents(coco([entry]))
    assert (file.images[0]['width'], file.images[0]['height']) == (None, None)
    assert file.changed


@pytest.mark.parametrize('size', [
    dict(width='64', height='48'), dict(width=63.6, height=48.4), dict(width=' 64 '), dict(width='64.0')])
def test_a_size_that_is_written_otherwise_is_read(size):
    file = read_contents(coco([image() | size]))
    assert (file.images[0]['width'], file.images[0]['height']) == (64, 48)
    assert type(file.images[0]['width']) is int


@pytest.mark.parametrize('size', [dict(width='wide'), dict(height=[48]), dict(width=float('nan')), dict(height={})])
def test_a_size_that_is_no_number_is_refused_with_its_image(size):
    assert re.search(r'images\[0\], a.jpg', refusal(coco([image() | size])))


@pytest.mark.parametrize('name', [None, '', 7, ['a.jpg'], 'missing'])
def test_an_image_without_a_name_is_refused_with_its_number(name):
    nameless = without(image(2), 'file_name') if name == 'missing' else image(2, name)
    assert re.search(r'file_name.*images\[1\]', refusal(coco([image(), nameless])))


def test_an_image_may_have_an_id_alone_where_a_reader_can_do_with_that():
    file = read_contents(coco([without(image(), 'file_name')]), are_named=False)
    assert file.images[0]['id'] == 1


@pytest.mark.parametrize('image_id', [None, True, [1], {}, 'missing'])
def test_an_image_without_an_id_is_refused_with_its_name(image_id):
    entry = without(image(name='b.jpg'), 'id') if image_id == 'missing' else image(image_id, 'b.jpg')
    assert re.search(r'"id".*images\[1\] \(.b.jpg.\)', refusal(coco([image(), entry])))


@pytest.mark.parametrize(('images', 'message'), [
    ([image(1, 'a.jpg'), image(2, 'a.jpg')], "file_name 'a.jpg' stands 2 times.* Name each image once"),
    ([image(5, 'a.jpg'), image(5, 'b.jpg')], 'image id 5 stands 2 times.* Ids must be unique'),
    ([image('x', 'a.jpg'), image('x', 'b.jpg')], "image id 'x' stands 2 times"),
    ([image(i, name) for i, name in enumerate('aabbb')], "file_name 'a' stands 2 times")])
def test_an_image_that_stands_twice_is_refused_with_its_name(images, message):
    assert re.search(message, refusal(coco(images, [box(image_id=images[0]['id'])])))


# --- categories -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(('categories', 'message'), [
    ([category(1, 'cat'), category(2, 'cat')], "'cat' stands 2 times.*cannot be told apart: merge"),
    ([category(1, 'cat'), category(1, 'dog')], "id 1.*'cat'.*'dog'.*cannot be told apart"),
    ([category(1, ''), category(2, 'dog')], r'"name".*categories\[0\]'),
    ([category(1, None)], r'"name".*categories\[0\]'),
    ([without(category(), 'id')], r'"id".*categories\[0\]')])
def test_categories_that_cannot_be_told_apart_or_have_no_name_are_refused(categories, message):
    assert re.search(message, refusal(coco(categories=categories)))


ROBOFLOW = [category(0, 'faces-x2v', supercategory='none'), category(1, 'cat', supercategory='faces-x2v'),
            category(2, 'dog', supercategory='faces-x2v')]


def test_the_project_that_roboflow_puts_before_the_classes_is_left_out_and_said():
    file = read_contents(coco(categories=ROBOFLOW))
    assert [entry['name'] for entry in file.categories] == ['cat', 'dog']
    assert len(file.notes) == 1
    assert "'faces-x2v'" in file.notes[0]
    assert 'Roboflow' in file.notes[0]
    assert file.changed


@pytest.mark.parametrize('categories', [
    [category(0, 'cat', supercategory='none')],
    [category(0, 'cat', supercategory='none'), category(1, 'dog', supercategory='none')],
    [category(0, 'cat', supercategory='none'), category(1, 'dog', supercategory='animal')],
    [category(0, 'cat', supercategory='cat'), category(1, 'dog')]])
def test_a_class_that_is_no_project_is_kept(categories):
    file = read_contents(coco(annotations=[box(category_id=0)], categories=categories))
    assert file.categories == categories
    assert file.notes == []


def test_a_first_category_with_boxes_is_a_class():
    file = read_contents(coco(annotations=[box(category_id=0), box(2)], categories=ROBOFLOW))
    assert [entry['id'] for entry in file.categories] == [0, 1, 2]


def test_annotations_that_are_not_read_tell_which_categories_are_in_use():
    file = read_contents(coco(annotations=[box(category_id=0, bbox=None), 'none'], categories=ROBOFLOW),
                         with_boxes=False)
    assert (file.annotations, [entry['id'] for entry in file.categories]) == ([], [1, 2])
    file = read_contents(coco(annotations=[box(category_id=0, bbox=None)], categories=ROBOFLOW), with_boxes=False)
    assert (file.annotations, [entry['id'] for entry in file.categories]) == ([], [0, 1, 2])


def test_a_category_with_braces_in_its_name_can_be_named_in_a_note():
    root = [category(0, '{n} {0}', supercategory='none'), category(1, 'cat', supercategory='{n} {0}')]
    assert "'{n} {0}'" in read_contents(coco(categories=root)).notes[0]


# --- annotations ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(('ids', 'notes'), [
    ([0, 1, 2], ['ids of annotations begin at 0, which pycocotools takes for "no match"']),
    ([3, 0, 9], ['"no match"']),
    ([5, 5, 6], ['not unique numbers']),
    (['a', 'b', 'c'], ['not unique numbers']),
    (['1', '2', '3'], ['not unique numbers']),
    ([1, None, 2], ['not unique numbers']),
    ([-1, -2, -3], ['not unique numbers']),
    ([1.5, 2.5, 3.5], ['not unique numbers']),
    ([None, None, None], [])])
def test_ids_of_annotations_are_numbered_from_1_where_pycocotools_would_confuse_them(ids, notes):
    boxes = [dict(box(i), bbox=[n, 1, 5, 5]) for n, i in enumerate(ids)]
    file = read_contents(coco(annotations=boxes))
    assert [entry['id'] for entry in file.annotations] == [1, 2, 3]
    assert file.changed
    assert len(file.notes) == len(notes)
    for note, words in zip(file.notes, notes, strict=True):
        assert words in note
        assert note.endswith('numbered from 1')


def test_annotations_without_ids_are_numbered():
    file = read_contents(coco(annotations=[without(box(), 'id'), without(box(), 'id')]))
    assert [entry['id'] for entry in file.annotations] == [1, 2]


def test_ids_that_are_numbers_from_1_are_kept():
    file = read_contents(coco(annotations=[box(9), box(4), box(1)]))
    assert [entry['id'] for entry in file.annotations] == [9, 4, 1]
    assert not file.changed


@pytest.mark.parametrize(('listed', 'used'), [(5, '5'), ('5', 5), (5, ' 5 '), ('5', 5.0)])
@pytest.mark.parametrize('part', ['image', 'category'])
def test_ids_that_are_text_on_one_side_are_matched(part, listed, used):
    if part == 'image':
        content = coco([image(listed)], [box(image_id=used)])
    else:
        content = coco(annotations=[box(category_id=used)], categories=[category(listed)])
    file = read_contents(content)
    assert file.annotations[0][f'{part}_id'] == listed
    assert type(file.annotations[0][f'{part}_id']) is type(listed)
    assert file.changed
    assert len(file.notes) == 1
    assert f'{part}_id' in file.notes[0]


def test_an_id_that_fits_two_images_is_taken_for_the_one_of_its_type():
    file = read_contents(coco([image(5, 'a'), image('5', 'b')], [box(1, 5), box(2, '5')]))
    assert [entry['image_id'] for entry in file.annotations] == [5, '5']


@pytest.mark.parametrize('value', [9, '9', None, 'missing', [1], True])
@pytest.mark.parametrize('part', ['image', 'category'])
def test_an_annotation_of_what_is_not_listed_is_refused_with_its_number(part, value):
    key = f'{part}_id'
    entry = without(box(7), key) if value == 'missing' else box(7) | {key: value}
    assert re.search(rf'{key}.*annotations\[1\] \(id 7\)', refusal(coco(annotations=[box(), entry])))


@pytest.mark.parametrize('crowd', [None, 0.0, '0', 'false', False, 'missing'])
def test_iscrowd_that_is_missing_or_spelled_otherwise_is_0(crowd):
    entry = without(box(), 'iscrowd') if crowd == 'missing' else box(iscrowd=crowd)
    file = read_contents(coco(annotations=[entry]))
    assert file.annotations == [box()]
    assert type(file.annotations[0]['iscrowd']) is int
    assert file.changed


@pytest.mark.parametrize('crowd', [1, True, '1', 'true', 1.0])
def test_a_crowd_stays_one(crowd):
    assert read_contents(coco(annotations=[box(iscrowd=crowd)])).annotations[0]['iscrowd'] == 1


@pytest.mark.parametrize(('area', 'note'), [
    (None, None), ('missing', None), (0, 'have an area of 0'), ('200', 'no number above 0'), (-3, 'no number above 0'),
    ([], 'no number above 0'), (True, 'no number above 0')])
def test_an_area_that_is_missing_or_none_is_that_of_the_box(area, note):
    entry = without(box(), 'area') if area == 'missing' else box(area=area)
    file = read_contents(coco(annotations=[entry]))
    assert file.annotations[0]['area'] == 200
    assert file.changed
    assert len(file.notes) == (note is not None)
    assert note is None or note in file.notes[0]


def test_the_area_of_a_mask_is_kept():
    file = read_contents(coco(annotations=[box(area=123.5)]))
    assert file.annotations[0]['area'] == 123.5
    assert not file.changed


@pytest.mark.parametrize('bbox', [['1', '2', '10', '20'], [1, '2', 10, '20.0'], '1,2,10,20', '[1, 2, 10, 20]',
                                  '1 2 10 20'])
def test_a_box_that_is_text_is_read_as_numbers(bbox):
    file = read_contents(coco(annotations=[box(bbox=bbox)]))
    assert file.annotations[0]['bbox'] == [1, 2, 10, 20]
    assert len(file.notes) == 1
    assert 'text' in file.notes[0]


@pytest.mark.parametrize('bbox', [None, [], '', 'missing'])
@pytest.mark.parametrize('polygons', [[[1, 2, 11, 2, 11, 22, 1, 22]], [[1, 2, 5, 2, 5, 5], [6, 6, 11, 22, 7, 9]]])
def test_a_box_that_is_missing_is_that_of_the_polygons(bbox, polygons):
    entry = box(segmentation=polygons) | dict(bbox=bbox)
    if bbox == 'missing':
        del entry['bbox']
    file = read_contents(coco(annotations=[entry]))
    assert file.annotations[0]['bbox'] == [1, 2, 10, 20]
    assert len(file.notes) == 1
    assert 'segmentation' in file.notes[0]


@pytest.mark.parametrize('bbox', [
    None, [], '', [1, 2, 3], [1, 2, 3, 4, 5], [[1, 2, 3, 4]], 'box', [1, 2, 'x', 4], [1, 2, None, 4],
    [1, 2, True, 4], dict(x=1, y=2, w=3, h=4), 7])
@pytest.mark.parametrize('segmentation', [None, [], [[1, 2, 3, 4]], dict(counts='abc', size=[4, 4])])
def test_an_annotation_that_has_no_way_to_be_a_box_is_refused_with_its_image(bbox, segmentation):
    content = coco(annotations=[box(), box(8, bbox=bbox, segmentation=segmentation)])
    text = refusal(content)
    assert re.search(r'four numbers.*annotations\[1\] \(id 8\) on a.jpg', text)
    assert 'x, y, width, height' in text


@pytest.mark.parametrize('bbox', [[1, 2, -3, 4], [1, 2, 0, 0], [900, 2, 3, 4], [0.1, 0.1, 0.2, 0.2]])
def test_a_box_that_is_none_is_passed_on_to_be_judged(bbox):
    assert read_contents(coco(annotations=[box(bbox=bbox)])).annotations[0]['bbox'] == bbox


@pytest.mark.parametrize('literal', ['NaN', 'Infinity', '-Infinity'])
def test_numbers_that_are_none_are_passed_on_to_be_judged_and_kept_from_the_host(literal):
    text = json.dumps(coco()).replace('[1, 2, 10, 20]', f'[1, {literal}, 10, 20]')
    file = parse_coco(text)
    assert repr(file.annotations[0]['bbox'][1]) == repr(json.loads(literal))
    assert file.changed


@pytest.mark.parametrize('sign', [1, -1])
def test_a_whole_number_beyond_all_floats_is_infinite(sign):
    file = parse_coco(json.dumps(coco(annotations=[box(bbox=[1, 2, sign * 10**400, 20])])))
    assert file.annotations[0]['bbox'] == [1, 2, sign * math.inf, 20]
    assert file.changed
    assert file.notes == []
    examination = examine_boxes(file.images, file.annotations)
    assert examination.counts == {BoxFault.NOT_FINITE: 1}


def test_faults_are_counted_and_the_first_three_are_named():
    annotations = [box(i + 1, bbox=[]) for i in range(5)] + [box(9, category_id=4)]
    text = refusal(coco(annotations=annotations))
    for number in range(3):
        assert f'annotations[{number}]' in text
    assert 'annotations[3]' not in text
    assert ' 5 ' in text
    assert 'annotations[5] (id 9)' in text
    assert 'category_id' in text


def test_annotations_at_fault_are_left_out_and_the_others_keep_their_place():
    annotations = [box(1, bbox=[]), box(2), box(2), box(3, category_id=9), box(4)]
    file = read_contents(coco(annotations=annotations))
    assert ([entry['id'] for entry in file.annotations], file.rows) == ([2, 4], [1, 4])
    assert len(file.faults) == 2
    assert 'annotations[0] (id 1) on a.jpg' in file.faults[0]
    assert '"categories" (annotations[3] (id 3) on a.jpg: 9)' in file.faults[1]


def test_what_is_made_good_is_said_once_with_its_number():
    file = read_contents(coco([image('1')], [box(i) for i in range(1, 6)]))
    assert len(file.notes) == 1
    assert ' 5 ' in file.notes[0]


def test_notes_are_sentences_without_a_full_stop():
    content = coco([image('1')], [box(0, bbox=['1', '2', '3', '4'], area=0), box(0, bbox=None, segmentation=[[0] * 6])],
                   ROBOFLOW)
    notes = read_contents(content).notes
    assert len(notes) >= 4
    assert not any(note.endswith('.') or '{' in note for note in notes)


# --- a config file's helper -----------------------------------------------------------------------------------------

def test_class_names_are_those_that_a_run_would_have(tmp_path):
    path = tmp_path / 'train.json'
    path.write_text('\ufeff' + json.dumps(coco(categories=ROBOFLOW)), encoding='utf-8')
    assert list(class_names(str(path))) == ['cat', 'dog']
    path.write_text('{')
    with pytest.raises(InputError, match=f'^{re.escape(str(path))} is not whole JSON'):
        class_names(str(path))


def test_an_entry_that_is_another_word_for_word_counts_once_and_another_box_of_its_id_counts():
    images = [dict(id=1, file_name='a.jpg', width=9, height=9)]
    box = dict(id=4, image_id=1, category_id=1, bbox=[1, 1, 5, 5], area=25, iscrowd=0)
    other = dict(box, bbox=[2, 2, 5, 5])
    file = read_contents(dict(images=images, annotations=[box, box, other], categories=[dict(id=1, name='a')]))
    assert [(a['id'], a['bbox']) for a in file.annotations] == [(1, [1, 1, 5, 5]), (2, [2, 2, 5, 5])]
    assert '1 of its annotations stand there twice: they are taken once' in file.notes
    once = read_contents(dict(images=images, annotations=[box, dict(box)], categories=[dict(id=1, name='a')]))
    assert [a['id'] for a in once.annotations] == [4]
    assert once.changed


@pytest.mark.parametrize(('value', 'crowd'), [
    (float('nan'), 0), ('no', 0), ('FALSE', 0), ('0.0', 0), ('1', 1), ('True', 1), (True, 1), (1.0, 1)])
def test_a_crowd_is_what_says_so(value, crowd):
    images = [dict(id=1, file_name='a.jpg', width=9, height=9)]
    box = dict(id=1, image_id=1, category_id=1, bbox=[1, 1, 5, 5], area=float('inf'), iscrowd=value)
    file = read_contents(dict(images=images, annotations=[box], categories=[dict(id=1, name='none', supercategory=[])]))
    assert file.annotations[0]['iscrowd'] == crowd
    assert file.annotations[0]['area'] == 25
    assert [category['name'] for category in file.categories] == ['none']


def test_an_id_that_is_no_whole_number_is_refused():
    with pytest.raises(InputError, match='expected a whole number or text as "id" of every image, found nan'):
        read_contents(dict(images=[dict(id=float('nan'), file_name='a.jpg')]))
