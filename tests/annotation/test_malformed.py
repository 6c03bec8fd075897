"""Files that are broken, odd or hostile end in a message that names the place, and nothing of them is kept."""

import json
import random
import zipfile

import pytest

from mmal.annotation import reader
from mmal.annotation.export import write_batch
from mmal.annotation.importer import import_file
from mmal.annotation.label_store import LabelStore
from mmal.annotation.validation import Rules
from mmal.errors import InputError
from tests.annotation.annotation_fixtures import boxes_batch, classes_batch, coco_file, rectangle, studio_export, write

HUGE = 10**400
BOX = (3, 1, [10, 20, 300, 400])
DEEP = '[' * 100_000 + ']' * 100_000


def sized(width):
    return coco_file(BOX, images=[dict(id=3, file_name='a.jpg', width=width, height=480)])


def with_task(**task):
    return [dict(studio_export(boxes_batch(), [[rectangle()]])[0], **task)]


def with_region(**region):
    return studio_export(boxes_batch(), [[dict(rectangle(), **region)]])


def with_value(**value):
    return with_region(value=dict(rectangle()['value'], **value))


BOXES = dict(
    images_null=(dict(coco_file(BOX), images=None), "expected a list of objects as 'images', found None"),
    annotations_number=(dict(coco_file(BOX), annotations=5), "expected a list of objects as 'annotations', found 5"),
    categories_of_text=(dict(coco_file(BOX), categories=['car']), "expected a list of objects as 'categories'"),
    width_nan=(sized(float('nan')), r'width and height are no pixels \(images\[0\], a.jpg: nan x 480\)'),
    width_infinite=(sized(float('inf')), 'width and height are no pixels .*: inf x 480'),
    width_huge=(sized(HUGE), r'width and height are no pixels .*: 1000.*\.\.\..* x 480'),
    width_text=(sized('wide'), "width and height are no pixels .*: 'wide' x 480"),
    box_huge=(coco_file((3, 1, [10, 20, HUGE, 5])), 'a number that is not finite'),
    studio_annotations=(with_task(annotations=5), 'task 100: expected a list of objects as "annotations", found 5'),
    studio_annotation=(with_task(annotations=['x']), 'task 100: expected a list of objects as "annotations"'),
    studio_result=(studio_export(boxes_batch(), [5]), 'task 100: expected a list of objects as "result", found 5'),
    studio_labels=(with_value(rectanglelabels=5), 'region 0: expected one label, found 5. Give the rectangle one'),
    studio_text=(with_value(rectanglelabels='car'), "region 0: expected one label, found 'car'"),
    studio_value=(with_region(value=5), 'region 0: expected one label, found none'),
    studio_huge=(with_value(x=HUGE), 'region 0: lacks numbers for x'),
    studio_nan_size=(with_region(original_width=float('nan')), 'region 0: lacks numbers for'),
    studio_ids=([dict(t, annotations=[dict(a, id=i) for a in t['annotations'] for i in ('x', 1, None)])
                 for t in with_value(rectanglelabels=['zebra'])], "'zebra' is no class"),
    studio_seconds=(studio_export(boxes_batch(), [[rectangle()]], lead_time=HUGE), 'seconds of a.jpg: expected'),
    deep=(DEEP, 'nested too deeply'),
    deep_task=('[{"id": 1, "data": ' + DEEP + '}]', 'nested too deeply'),
    long_number=('[' + '9' * 5000 + ']', 'is not whole JSON'),
)
CLASSES = dict(
    choices_number=(studio_export(classes_batch(), [[dict(type='choices', value=dict(choices=5))]]),
                    'region 0: expected a list of classes as "choices", found 5'),
    choices_text=(studio_export(classes_batch(), [[dict(type='choices', value=dict(choices='cat'))]]),
                  """region 0: expected a list of classes as "choices", found 'cat'"""),
    choices_of_lists=(studio_export(classes_batch(), [[dict(type='choices', value=dict(choices=[['cat']]))]]),
                      r"\['cat'\] is no class"),
    long_cell=('file_name,label\nx/1.png,cat\nx/2.png,' + 'x' * 140_000 + '\n', 'line 3: field larger than'),
    long_header=('file_name,label,' + 'x' * 140_000 + '\n', 'line 1: field larger than'),
    two_label_columns=('file_name,label,label\nx/1.png,cat,dog\n', "the column 'label' stands twice"),
)


@pytest.mark.parametrize('case', [*BOXES, *CLASSES])
def test_a_broken_file_is_explained_and_nothing_is_kept(tmp_path, case):
    content, message = {**BOXES, **CLASSES}[case]
    write_batch((boxes_batch if case in BOXES else classes_batch)(), tmp_path / 'b')
    with pytest.raises(InputError, match=message) as e:
        import_file(tmp_path / 'b', write(tmp_path / 'file', content))
    assert str(tmp_path / 'file') in str(e.value)
    assert len(str(e.value)) < 2000
    assert LabelStore.read(tmp_path / 'b') == LabelStore()


@pytest.mark.parametrize(('content', 'labeled'), [
    ('file_name;label\nx/1.png;cat\ny/1.png;"dog"\n', 2), ('file_name\tlabel\nx/1.png\tcat\n', 1),
    ('file_name,label\rx/1.png,cat\ry/1.png,dog\r', 2), ('"id";"label"\r\n"x/1.png";"owl"\r\n', 1)])
def test_tables_as_spreadsheets_write_them(tmp_path, content, labeled):
    write_batch(classes_batch(), tmp_path / 'b')
    (tmp_path / 'f.csv').write_bytes(content.encode())
    assert f'{labeled} images newly labeled' in import_file(tmp_path / 'b', tmp_path / 'f.csv')


@pytest.mark.parametrize('encoding', ['cp1252', 'utf-16-le', 'utf-32'])
def test_another_encoding_is_named_with_its_cure(tmp_path, encoding):
    write_batch(classes_batch(), tmp_path / 'b')
    (tmp_path / 'f.csv').write_bytes('file_name,label\nx/1.png,Käse\n'.encode(encoding))
    with pytest.raises(InputError, match='expected text in UTF-8 .*in a spreadsheet: "CSV UTF-8"'):
        import_file(tmp_path / 'b', tmp_path / 'f.csv')


# --- archives ---------------------------------------------------------------------------------------------------------


def archive(path, **files):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name.replace('__', '/'), content if isinstance(content, bytes) else json.dumps(content))
    return path


def test_the_one_json_file_of_an_archive_is_read(tmp_path):
    write_batch(boxes_batch(), tmp_path / 'b')
    path = archive(tmp_path / 'f.zip', **{'annotations__instances_default.json': coco_file(BOX), 'images__a.jpg': b'x'})
    assert '1 images newly labeled' in import_file(tmp_path / 'b', path, Rules(without_boxes='unlabeled'))
    assert not (tmp_path / 'annotations').exists()


def test_an_archive_of_what_was_exported_is_no_label(tmp_path):
    target = write_batch(boxes_batch(), tmp_path / 'b')
    path = archive(tmp_path / 'f.zip', **{'cvat.json': (target / 'cvat.json').read_bytes()})
    with pytest.raises(InputError, match="its boxes are the model's predictions"):
        import_file(tmp_path / 'b', path)


@pytest.mark.parametrize(('files', 'message'), [
    ({}, 'expected one JSON file in the archive, found none'),
    (dict(a_jpg=b'x'), 'expected one JSON file in the archive, found none'),
    ({'instances_Train.json': {}, 'instances_Test.json': {}},
     'found 2: instances_Train.json, instances_Test.json. Unpack it')])
def test_archives_with_another_number_of_files_are_refused(tmp_path, files, message):
    write_batch(boxes_batch(), tmp_path / 'b')
    with pytest.raises(InputError, match=message):
        import_file(tmp_path / 'b', archive(tmp_path / 'f.zip', **files))


def test_archives_that_swell_or_are_damaged_or_locked_are_refused(tmp_path, monkeypatch):
    write_batch(boxes_batch(), tmp_path / 'b')
    path = archive(tmp_path / 'f.zip', **{'x.json': coco_file(BOX)})
    whole = path.read_bytes()
    for content in (whole[:60], whole[:40] + b'\0' * 20 + whole[60:]):
        path.write_bytes(content)
        with pytest.raises(InputError, match='archive is damaged'):
            import_file(tmp_path / 'b', path)
    locked = bytearray(whole)
    for header in (b'PK\x03\x04', b'PK\x01\x02'):  # the bit that says it is encrypted
        at = whole.index(header)
        locked[at + (6 if header[2] == 3 else 8)] |= 1
    path.write_bytes(locked)
    with pytest.raises(InputError, match='encrypted'):
        import_file(tmp_path / 'b', path)
    monkeypatch.setattr(reader, 'MAX_UNPACKED_BYTES', 100)
    path.write_bytes(whole)
    with pytest.raises(InputError, match='more than 100 bytes'):
        import_file(tmp_path / 'b', path)


# --- whatever else may come -------------------------------------------------------------------------------------------

SCRAPS = [b'', b'\0', b'"', b',', b';', b'\n', b'\xff', b'[', b'9']
ODD = [None, True, 0, -1, 5, 1.5, HUGE, float('nan'), float('inf'), '', 'x', 'car', '../a.jpg', '\ud800', [], {}, [[]],
       [None], ['car'], [5], {'id': 1}, dict(x=1), [dict(id=[])], [[1, 2, 3, 4]]]


def spots(node, found=()):
    """Every (container, key) of a JSON value."""
    found = list(found)
    for key in (node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()):
        found += [(node, key), *spots(node[key])]
    return found


def mutated(content, draw):
    """The JSON value with one to three changes, as text."""
    content = json.loads(json.dumps(content))
    for _ in range(draw.randint(1, 3)):
        node, key = draw.choice(spots(content) or [([0], 0)])
        kind = draw.random()
        if kind < 0.6:
            node[key] = json.loads(json.dumps(draw.choice(ODD)))
        elif kind < 0.8:
            del node[key]
        elif isinstance(node, list):
            node.append(json.loads(json.dumps(node[key])))
    return json.dumps(content)


def torn(text, draw):
    """The text with some bytes lost, doubled or replaced."""
    content = bytearray(text.encode())
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(content))
        content[at:at + draw.choice([0, 1, 1, 20])] = draw.choice(SCRAPS)
    return bytes(content)



STUDIO = studio_export(boxes_batch(), [[rectangle()], [], [rectangle('truck', size=(320, 240))]])
CHOICES = studio_export(classes_batch(), [[dict(type='choices', value=dict(choices=['owl']))], None])
TABLE = 'file_name,label,id,rank,score,who,seconds\nx/1.png,cat,x/1.png,0,,ann,3.5\nx/2.png,,x/2.png,1,0.1,,\n'


@pytest.mark.parametrize(('batch', 'good'), [
    (boxes_batch, coco_file(BOX, (9, 7, [0, 0, 640, 480]))), (boxes_batch, STUDIO), (classes_batch, CHOICES),
    (classes_batch, TABLE)], ids=['coco', 'boxes in label studio', 'classes in label studio', 'table'])
def test_nothing_but_our_own_refusal_comes_of_any_file(tmp_path, batch, good):
    """400 files that were good before something happened to them; each seed is the same ever after."""
    write_batch(batch(), tmp_path / 'b')
    refused = 0
    for seed in range(400):
        draw = random.Random(seed)
        whole = good if isinstance(good, str) else json.dumps(good)
        content = (torn(whole, draw) if isinstance(good, str) or seed % 4 == 0 else mutated(good, draw).encode())
        (tmp_path / 'f').write_bytes(content)
        rules = draw.choice([Rules(), Rules(True, 'empty', True, 'accepted'), Rules(False, 'unlabeled')])
        try:
            import_file(tmp_path / 'b', tmp_path / 'f', rules, dry_run=seed % 8 > 0)
        except InputError as e:
            refused += 1
            str(e).encode(errors='backslashreplace')
        json.dumps(LabelStore.read(tmp_path / 'b').annotation_file(batch()), allow_nan=False)
    assert 100 < refused < 400, 'some changes do no harm'
