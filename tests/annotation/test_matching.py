"""Labels are for images of the batch: names that nearly fit are explained, and taken by a rule."""

import pytest

from mmal.annotation.export import write_batch
from mmal.annotation.importer import import_file
from mmal.annotation.label_store import LabelStore
from mmal.annotation.match_rules import parse_rules
from mmal.annotation.validation import Rules
from mmal.errors import InputError
from tests.annotation.annotation_fixtures import boxes_batch, coco_file, rectangle, studio_export, write

HASHES = ('f588881eb2c2829187797d304e3a941d', 'ffb357957a29cdef43f3fdfb2a13c417', '68cb444f62494b5756c4708d119a66da')
EXPORTS = {
    'Roboflow': ('roboflow', [f'{stem}_jpg.rf.{digest}.jpg' for stem, digest in
                              zip(['a', 'b-c', 'c'], HASHES, strict=True)]),
    'Label Studio': ('label-studio', ['images/3f2a9c10-a.jpg', 'images/00ff00ff-b_c.jpg', 'images/cb0618f6-c.jpg']),
    'Label Studio on Windows': ('label-studio', [f'..\\..\\media\\upload\\4\\{name}' for name in
                                                 ['3f2a9c10-a.jpg', '00ff00ff-b_c.jpg', 'cb0618f6-c.jpg']]),
    'another machine': ('suffix', ['/home/ann/pool/a.jpg', '/home/ann/pool/sub/b c.jpg', '/home/ann/pool/c.jpg']),
    'Windows': ('suffix', ['D:\\pool\\a.jpg', 'D:\\pool\\sub\\b c.jpg', 'D:\\pool\\c.jpg']),
    'a folder of CVAT': ('basename', ['default/x/a.jpg', 'default/x/b c.jpg', 'default/x/c.jpg']),
}


@pytest.fixture
def folder(tmp_path):
    write_batch(boxes_batch(), tmp_path / 'round_00')
    return tmp_path / 'round_00'


def bring(folder, names, match=None, **options):
    images = [dict(id=n, file_name=name) for n, name in enumerate(names)]
    boxes = [(n, 1, [1, 1, 100 * n + 100, 200]) for n in range(len(names))]
    rules = Rules(match=parse_rules(match, '--match'))
    return import_file(folder, write(folder.parent / 'file.json', coco_file(*boxes, images=images)), rules, **options)


@pytest.mark.parametrize('case', EXPORTS)
def test_a_renamed_export_is_refused_with_the_line_that_takes_it_and_taken_by_it(folder, case):
    rule, names = EXPORTS[case]
    with pytest.raises(InputError) as e:
        bring(folder, names)
    assert f'\n`--match {rule}` takes 3 of the 3.' in str(e.value)
    assert "; the nearest is 'sub/b c.jpg': " in str(e.value)
    assert not LabelStore.read(folder).entries
    said = bring(folder, names, rule)
    assert f"3 names taken by the rule {rule} ({names[0]!r} is 'a.jpg', " in said
    entries = LabelStore.read(folder).entries
    assert {k: e['boxes'][0]['bbox'][2] for k, e in entries.items()} == {'3': 100, '9': 200, '11': 300}


def test_folders_that_were_left_out_are_said(folder):
    said = bring(folder, ['c.jpg', 'b c.jpg', 'a.jpg'])
    assert "1 name taken although folders are left out ('b c.jpg' is 'sub/b c.jpg')" in said


@pytest.mark.parametrize('name', ['../a.jpg', '/data/pool/../../etc/a.jpg', '/data/pool/a.jpg', 'C:\\a.jpg', '\\a.jpg',
                                  'sub/../a.jpg'])
def test_a_name_that_leads_out_is_refused_and_no_rule_follows_it(folder, name):
    with pytest.raises(InputError, match=r'has "\.\." in it|is an absolute name'):
        bring(folder, [name])
    bring(folder, [name], 'basename')
    assert set(LabelStore.read(folder).entries) == {'3'}


@pytest.mark.parametrize('name', ['../x.jpg', '/etc/passwd', 'C:\\x.jpg'])
def test_a_name_of_no_image_is_refused_by_every_rule(folder, name):
    with pytest.raises(InputError, match=r'has "\.\." in it|is an absolute name'):
        bring(folder, [name], 'suffix,case,stem,label-studio,roboflow,basename')


def test_two_versions_of_one_image_are_refused_with_their_names(folder):
    names = [f'a_jpg.rf.{digest}.jpg' for digest in HASHES[:2]]
    with pytest.raises(InputError) as e:
        bring(folder, names, 'roboflow')
    for name, other in (names, names[::-1]):
        assert f"{name!r} is not in batch round_00; it comes near to 'a.jpg', and so does {other!r}" in str(e.value)
    assert 'export a version of the Roboflow project without augmentation' in str(e.value)


def test_photos_known_by_the_name_of_their_upload_are_said(folder):
    export = studio_export(boxes_batch(), [[rectangle()], None, None])
    export[0]['data'] = dict(image='/data/upload/4/1a2b3c4d-a.jpg')
    said = import_file(folder, write(folder.parent / 'file.json', export))
    assert '1 known by the names they were uploaded under (e.g. a.jpg)' in said
