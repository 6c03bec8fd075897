"""Whatever is wrong with a file is named with image, place and cure, and nothing of it is kept."""

import json
import math
import re
from dataclasses import replace

import pytest

from mmal.annotation.batch import BatchImage
from mmal.annotation.export import write_batch
from mmal.annotation.importer import import_file
from mmal.annotation.label_store import LabelStore
from mmal.annotation.validation import Rules
from mmal.errors import InputError
from tests.annotation.annotation_fixtures import boxes_batch, classes_batch, coco_file, rectangle, studio_export, write

GOOD = [(3, 1, [10, 20, 30, 40]), (9, 7, [0, 0, 640, 480]), (11, 1, [5.5, 5, 20, 20])]


@pytest.fixture
def folder(tmp_path):
    write_batch(boxes_batch(), tmp_path / 'round_00')
    return tmp_path / 'round_00'


def bring(folder, content, rules=None, **options):
    return import_file(folder, write(folder.parent / 'file', content), rules, **options)


def names(n):
    return [dict(id=i, file_name=f, width=w, height=h)
            for i, f, w, h in [(3, 'a.jpg', 640, 480), (9, 'sub/b c.jpg', 640, 480), (11, 'c.jpg', 320, 240)][:n]]


BAD = dict(
    unknown_image=(coco_file(images=[dict(id=5, file_name='strange.jpg')]),
                   r"images\[0\]: 'strange.jpg' is not in batch"),
    unknown_id=(coco_file(images=[dict(id=5)]), 'image id 5 is not in batch round_00. If it belongs to another batch'),
    image_twice=(coco_file(images=[*names(1), dict(id=4, file_name='a.jpg')]),
                 "file_name 'a.jpg' stands 2 times. Name each image once"),
    id_twice=(coco_file(images=[*names(1), dict(id=3, file_name='c.jpg')]), 'id 3 stands 2 times. Ids must be unique'),
    annotation_of_no_image=(coco_file((99, 1, [1, 1, 2, 2])),
                            r'the image_id is not in its "images" \(annotations\[0\] \(id 1\): 99\)'),
    unknown_category=(coco_file((3, 5, [1, 1, 2, 2])),
                      r'category_id is not in its "categories" \(annotations\[0\] \(id 1\) on a.jpg: 5\)'),
    foreign_category=(coco_file((3, 5, [1, 1, 2, 2]), categories=[dict(id=5, name='zebra')]),
                      r"'zebra' is no class of this project \(car, truck\). Use one of them"),
    renamed_category=(coco_file((3, 5, [1, 1, 2, 2]), categories=[dict(id=5, name='Truck ')]),
                      "Was 'truck' renamed\\? Name it as here"),
    colliding_category=(coco_file((3, 1, [1, 1, 2, 2]), categories=[dict(id=1, name='car'), dict(id=1, name='zebra')]),
                        "id 1 stands for 'car' and for 'zebra'"),
    outside=(coco_file((3, 1, [700, 10, 5, 5])), 'on a.jpg: lies outside the image .640 x 480.*Remove it'),
    over_the_edge=(coco_file((3, 1, [600, 10, 50, 5])), 'passes the edge of the image.*--clip'),
    negative=(coco_file((3, 1, [10, 10, -5, 5])), 'width and height must be above 0'),
    empty_box=(coco_file((3, 1, [10, 10, 0, 5])), 'width and height must be above 0'),
    not_a_number=(coco_file((3, 1, [10, math.nan, 5, 5])), 'a number that is not finite'),
    infinite=(coco_file((3, 1, [10, 10, math.inf, 5])), 'a number that is not finite'),
    text_box=(coco_file((3, 1, ['a', 1, 2, 3])), 'expected four numbers as bbox'),
    no_box=(coco_file((3, 1, None)), 'expected four numbers as bbox .* on a.jpg: None.: draw rectangles'),
    percent=(coco_file((3, 1, [10, 20, 30, 40]), (9, 1, [50, 50, 50, 50]), (11, 1, [1, 1, 5, 5]), images=names(3)),
             'look like percents, expected pixels'),
    shares=(coco_file(*[(i, 1, [0.1, 0.2, 0.3, 0.4]) for i in (3, 9, 11)]), 'look like shares, expected pixels'),
    parent_name=(coco_file(images=[dict(id=3, file_name='../pool/a.jpg')]), r"'../pool/a.jpg' has \"..\" in it"),
    absolute_name=(coco_file(images=[dict(id=3, file_name='/etc/passwd')]), "'/etc/passwd' is an absolute name"),
    windows_name=(coco_file(images=[dict(id=3, file_name='C:\\x\\a.jpg')]), 'is an absolute name'),
    other_size=(coco_file((3, 1, [1, 1, 5, 5]), images=[dict(id=3, file_name='a.jpg', width=480, height=640)]),
                'a.jpg is 480 x 640 there and 640 x 480 here'),
    empty_or_not=(coco_file((3, 1, [1, 1, 200, 200])),
                  '2 images have no box, e.g. sub/b c.jpg, .*--without-boxes empty'),
    cut_off=('{"images": [', 'is not whole JSON'),
    other_json=('{"a": 1}', 'found other JSON'),
    plain_text=('hello', 'expected a COCO file or Label Studio'),
    rotated=(studio_export(boxes_batch(), [[rectangle() | dict(value=rectangle()['value'] | dict(rotation=30))]]),
             'task 100, region 0: is rotated'),
    polygon=(studio_export(boxes_batch(), [[dict(type='polygonlabels', value={})]]),
             'task 100: has 1 polygon and no rectangle, so the image would count as showing no object'),
    two_labels=(studio_export(boxes_batch(), [[rectangle() | dict(value=rectangle()['value'] | dict(
        rectanglelabels=['car', 'truck']))]]), 'expected one label, found 2'),
    unknown_label=(studio_export(boxes_batch(), [[rectangle('zebra')]]), "region 0 on a.jpg: 'zebra' is no class"),
    studio_edge=(studio_export(boxes_batch(), [[rectangle(x=-2.0)]]), 'passes the edge'),
    json_min=([dict(image='a.jpg', label=[])], r'Export as JSON \(raw\)'),
    other_image=([dict(id=1, data=dict(image_id=3, file_name='c.jpg'), annotations=[])],
                 "'c.jpg' comes with id 3, but has id 11"),
)


@pytest.mark.parametrize('case', BAD)
def test_a_fault_is_named_and_nothing_is_kept(folder, case):
    content, message = BAD[case]
    bring(folder, coco_file(GOOD[0], images=names(1)))
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    with pytest.raises(InputError, match=message):
        bring(folder, content)
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before


def test_one_fault_keeps_the_whole_file_out(folder):
    with pytest.raises(InputError, match='1 problem, so nothing was imported'):
        bring(folder, coco_file(*GOOD[:2], (11, 1, [400, 1, 5, 5])))
    assert LabelStore.read(folder) == LabelStore()
    assert not (folder / 'annotations.json').exists()


def test_every_fault_is_counted_and_the_first_twenty_are_named(folder):
    with pytest.raises(InputError) as e:
        bring(folder, coco_file(*[(3, 1, [1, 1, -n, 1]) for n in range(30)], images=names(1)))
    assert '30 problems' in str(e.value)
    assert len(str(e.value).splitlines()) == 22
    assert 'and 10 more' in str(e.value)


def test_faults_that_are_alike_are_told_once_with_the_first_three_places(folder):
    with pytest.raises(InputError) as e:
        bring(folder, coco_file(*[(3, 1, [1, 1, -1, 1])] * 30, (3, 1, [1, 1, -2, 1]), images=names(1)))
    first, alike, other = str(e.value).splitlines()
    assert '31 problems' in first
    assert re.fullmatch(r'  annotations\[0\] \(id .*\) on .*, annotations\[1\] .*, annotations\[2\] \(id .*\) on '
                        r'\S+ and 27 more: width and height must be above 0, found \[1, 1, -1, 1\].*', alike)
    assert 'annotations[30]' in other


def test_an_entry_that_cannot_be_read_is_one_problem_among_the_others(folder):
    content = coco_file((3, 1, [1, 1, 5, 5]), (3, 1, [1, 1]), (3, 1, [1, 1, -1, 1]), images=names(1))
    with pytest.raises(InputError) as e:
        bring(folder, content)
    assert '2 problems' in str(e.value)
    assert 'expected four numbers as bbox (x, y, width, height), found something else in 1 of its' in str(e.value)
    assert re.search(r'annotations\[2\] .*: width and height must be above 0', str(e.value))


def test_what_the_user_says_of_the_file_decides(folder):
    said = bring(folder, coco_file((3, 1, [600, 10, 50, 5])), Rules(clip=True, without_boxes='empty'))
    assert '2 images without objects; 0 of 3 still to do' in said
    labels = LabelStore.read(folder)
    assert labels.entries['3']['boxes'] == [dict(bbox=[600.0, 10.0, 40.0, 5.0], category='car')]
    assert labels.entries['9']['boxes'] == []
    few = coco_file(*[(i, 1, [10, 20, 30, 40]) for i in (3, 9, 11)])
    assert '3 changed' in bring(folder, few, Rules(pixels=True))


def test_unlabeled_is_not_empty(folder):
    said = bring(folder, coco_file(GOOD[0]), Rules(without_boxes='unlabeled'))
    assert '1 images newly labeled' in said
    assert '2 of 3 still to do' in said
    assert json.loads((folder / 'annotations.json').read_text())['images'] == [
        dict(id=3, file_name='a.jpg', width=640, height=480)]
    marked = coco_file(images=[dict(i, labeled=i['id'] == 9) for i in names(3)])
    assert '1 images newly labeled' in bring(folder, marked)
    assert LabelStore.read(folder).entries['9']['boxes'] == []
    assert '11' not in LabelStore.read(folder).entries


def test_a_dry_run_says_the_same_and_changes_nothing(folder):
    said = bring(folder, coco_file(*GOOD), dry_run=True)
    assert not (folder / 'labels.json').exists()
    assert bring(folder, coco_file(*GOOD)) == said


def test_the_same_file_twice_changes_nothing_and_another_replaces(folder):
    bring(folder, coco_file(*GOOD))
    before = LabelStore.read(folder)
    assert '0 images newly labeled, 0 changed' in bring(folder, coco_file(*GOOD))
    assert LabelStore.read(folder) == before
    assert '0 images newly labeled, 1 changed' in bring(folder, coco_file((3, 7, [11, 20, 30, 40]), images=names(1)))
    assert [len(e['boxes']) for e in LabelStore.read(folder).entries.values()] == [1, 1, 1]
    assert len(LabelStore.read(folder).files) == 2


def test_a_closed_batch_takes_what_it_had_and_nothing_else(folder):
    bring(folder, coco_file(*GOOD))
    assert '0 changed' in bring(folder, coco_file(*GOOD), closed=True)
    with pytest.raises(InputError, match='Batch round_00 is closed.*another --work-dir'):
        bring(folder, coco_file((3, 7, [11, 20, 30, 40]), images=names(1)), closed=True)


def test_the_export_itself_is_no_label(folder):
    for name in ('coco.json', 'cvat.json', 'label_studio.json'):
        with pytest.raises(InputError, match="its boxes are the model's predictions"):
            import_file(folder, folder / 'to_label' / name)


def test_renumbered_ids_and_dropped_folders_are_found_by_name(folder):
    images = [dict(id=n, file_name=f) for n, f in enumerate(['c.jpg', 'b c.jpg', 'a.jpg'])]
    boxes = [(n, 1, [1, 1, 100 * n + 200, 200]) for n in range(3)]
    bring(folder, coco_file(*boxes, images=images))
    entries = LabelStore.read(folder).entries
    assert {k: e['boxes'][0]['bbox'][2] for k, e in entries.items()} == {'11': 200, '9': 300, '3': 400}


def test_a_name_that_fits_two_images_is_no_name(tmp_path):
    write_batch(classes_batch(), tmp_path / 'b')
    with pytest.raises(InputError, match="'1.png' is not in batch"):
        bring(tmp_path / 'b', 'file_name,label\n1.png,cat\n')


def test_classes_come_as_a_table(tmp_path):
    folder = tmp_path / 'b'
    write_batch(classes_batch(), folder)
    said = bring(folder, 'file_name,label,who,seconds\nx/1.png,dog,ann,3.5\nx/2.png,,,\n')
    assert '1 images newly labeled, 0 changed; 2 of 3 still to do' in said
    assert LabelStore.read(folder).entries == {'x/1.png': dict(who='ann', seconds=3.5, label=1)}
    assert json.loads((folder / 'annotations.json').read_text()) == [dict(id='x/1.png', label=1)]
    assert '1 images newly labeled' in bring(folder, '\ufefflabel,id\nowl,y/1.png\n')
    assert LabelStore.read(folder).entries['y/1.png']['label'] == 2


@pytest.mark.parametrize(('table', 'message'), [
    ('file_name,label\nx/1.png,bird\n', "line 2: 'bird' is no class of this project .cat, dog, owl."),
    ('file_name,label\nx/1.png,cat,dog\n', 'line 2: more cells than the header has'),
    ('file_name,label,seconds\nx/1.png,cat,soon\n', "seconds: expected a number, found 'soon'"),
    ('file_name,label,seconds\nx/1.png,cat,-3\n', 'expected at least 0, found -3'),
    ('name,class\nx/1.png,cat\n', "expected a header with the columns 'label'"),
    ('file_name,label\nx/1.png,cat\nx/1.png,dog\n', 'line 3: x/1.png stands in line 2, too'),
    ('file_name,label\nx/1.png,cat;cat\n', 'a class stands twice'),
])
def test_a_bad_table_is_refused(tmp_path, table, message):
    write_batch(classes_batch(), tmp_path / 'b')
    with pytest.raises(InputError, match=message):
        bring(tmp_path / 'b', table)
    assert LabelStore.read(tmp_path / 'b') == LabelStore()


def test_bytes_that_are_no_text_are_refused(folder):
    (folder.parent / 'x.zip').write_bytes(b'PK\x03\x04\xff\xfe')
    with pytest.raises(InputError, match='archive is damaged'):
        import_file(folder, folder.parent / 'x.zip')


def test_the_batch_that_images_belong_to_is_named_with_the_command(tmp_path):
    """As al_init.py lays a project out: evaluation/ beside run/."""
    others = dict(run_00='run/round_00', initial='run/initial', evaluation='evaluation')
    for n, (name, place) in enumerate(others.items()):
        images = [BatchImage(100 * n, f'{name}.jpg', 0, 640, 480)]
        write_batch(replace(boxes_batch(name), images=images), tmp_path / place)
    (tmp_path / 'run/initial/to_label/batch.json').write_text('{')  # a damaged one is passed over
    for here, there in (('run/round_00', 'evaluation'), ('evaluation', 'run_00')):
        images = [dict(id=i, file_name=f'{n}.jpg', width=640, height=480) for i, n in enumerate((there, 'initial'), 1)]
        with pytest.raises(InputError) as e:
            bring(tmp_path / here, coco_file((1, 1, [0, 0, 600, 400]), images=images))
        assert str(e.value).splitlines()[-1] == (
            f'There are images of batch {there} in it: `python tools/al_labels.py {tmp_path / others[there]} FILE` '
            'brings those in.')


def test_a_box_that_cvat_turned_is_refused(folder):
    with pytest.raises(InputError, match=r'annotations\[0\] .id 1.: is rotated'):
        bring(folder, coco_file(GOOD[0], images=names(1), attributes=dict(rotation=30.0)))
    assert '1 images newly' in bring(folder, coco_file(GOOD[0], images=names(1), attributes=dict(rotation=0.0)))


OTHER_FORMS = dict(
    corners=([300, 200, 500, 400], r'look like corners \[x1, y1, x2, y2\], expected \[x, y, width, height\]'),
    rows_first=([200, 300, 400, 500], r'look like corners \[y1, x1, y2, x2\]'),
    shares=([0.5, 0.25, 0.1, 0.2], 'look like shares, expected pixels'),
)


@pytest.mark.parametrize('form', OTHER_FORMS)
@pytest.mark.parametrize('rules', [Rules(), Rules(clip=True), Rules(clip=True, pixels=True)])
def test_boxes_of_another_form_are_refused_once_and_never_cut(folder, form, rules):
    bbox, message = OTHER_FORMS[form]
    content = coco_file(*[(image_id, 1, bbox) for image_id in (3, 9, 3, 9)], images=names(2))
    with pytest.raises(InputError, match=message) as e:
        bring(folder, content, rules)
    assert '1 problem, so nothing was imported' in str(e.value)
    assert not LabelStore.read(folder).entries


@pytest.mark.parametrize('bbox', [[10, 10, 0.5, 20], [639.5, 10, 20, 20]])
def test_a_box_of_less_than_a_pixel_in_its_image_is_refused(folder, bbox):
    with pytest.raises(InputError, match='less than a pixel wide or high in the image.*remove it or draw it anew'):
        bring(folder, coco_file((3, 1, bbox), images=names(1)), Rules(clip=True))


def test_boxes_that_are_all_crowds_are_refused_and_some_are_kept(folder):
    content = coco_file(*GOOD, iscrowd=1)
    with pytest.raises(InputError, match=r'all 3 boxes are crowds \(iscrowd\), which training passes over'):
        bring(folder, content)
    content['annotations'][0]['iscrowd'] = 0
    bring(folder, content)
    crowds = [box.get('iscrowd', 0) for entry in LabelStore.read(folder).entries.values() for box in entry['boxes']]
    assert crowds == [0, 1, 1]
    assert '1 changed' in bring(folder, coco_file(GOOD[0], images=names(1), iscrowd=1))
