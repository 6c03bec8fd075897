"""What a folder, a list and a COCO file come to, and what is refused."""

import json
import os
import re

import pytest

from mmal.annotation.match_rules import parse_rules
from mmal.errors import InputError
from mmal.project.image_source import find_images


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'')


def test_a_folder_is_searched_with_all_its_folders(tmp_path):
    touch(tmp_path / 'b.JPG', tmp_path / 'a' / 'ü 1.png', tmp_path / 'n.txt', tmp_path / '.hidden' / 'c.png',
          tmp_path / '._a.png')
    found = find_images(tmp_path)
    assert (found.root, found.names) == (str(tmp_path), ['a/ü 1.png', 'b.JPG'])
    assert found.notes == ['1 files of other kinds passed over (1 .txt)']


def test_links_to_folders_are_followed_once(tmp_path):
    touch(tmp_path / 'pics' / 'a.png', tmp_path / 'elsewhere' / 'b.png')
    os.symlink(tmp_path / 'elsewhere', tmp_path / 'pics' / 'linked')
    os.symlink(tmp_path / 'pics', tmp_path / 'pics' / 'circle')
    assert find_images(tmp_path / 'pics').names == ['a.png', 'linked/b.png']


def test_a_list_may_name_files_relative_absolute_upwards_and_twice(tmp_path):
    touch(tmp_path / 'pics' / 'a b.png', tmp_path / 'other' / 'c.png')
    (tmp_path / 'lists').mkdir()
    lines = ['../pics/a b.png', str(tmp_path / 'other' / 'c.png'), '', '../pics/../pics/a b.png', 'gone.png']
    (tmp_path / 'lists' / 'l.txt').write_bytes('\ufeff'.encode() + '\r\n'.join(lines).encode())
    found = find_images(tmp_path / 'lists' / 'l.txt')
    assert found.root == str(tmp_path)
    assert found.names == ['lists/gone.png', 'other/c.png', 'pics/a b.png']
    assert found.notes == ["1 names in l.txt are no file: 'gone.png'", '1 lines of l.txt name an image a second time']


def test_dots_behind_a_link_are_what_the_system_says_they_are(tmp_path):
    touch(tmp_path / 'far' / 'pics' / 'a.png', tmp_path / 'far' / 'b.png')
    os.symlink(tmp_path / 'far' / 'pics', tmp_path / 'near')
    (tmp_path / 'l.txt').write_text('near/../b.png\n')
    assert find_images(tmp_path / 'l.txt').root == str(tmp_path / 'far')


def test_a_coco_file_keeps_its_ids_and_classes(tmp_path):
    touch(tmp_path / 'pics' / 'a.png', tmp_path / 'pics' / 'b.png')
    content = dict(images=[dict(id=7, file_name='b.png'), dict(id=3, file_name='a.png')],
                   categories=[dict(id=1, name='cat')], annotations=[dict(id=1)])
    (tmp_path / 'c.json').write_text(json.dumps(content))
    found = find_images(tmp_path / 'c.json', tmp_path / 'pics')
    assert (found.names, found.ids, found.classes) == (['a.png', 'b.png'], {'a.png': 3, 'b.png': 7}, ['cat'])
    assert 'has 1 annotations, which a project does not use' in found.notes[0]


def test_a_first_category_that_has_boxes_is_a_class_although_boxes_are_not_read(tmp_path):
    touch(tmp_path / 'a.png')
    categories = [dict(id=0, name='animal', supercategory='none'), dict(id=1, name='cat', supercategory='animal')]
    content = dict(images=[dict(id=1, file_name='a.png')], categories=categories, annotations=[dict(category_id=0)])
    (tmp_path / 'c.json').write_text(json.dumps(content))
    assert find_images(tmp_path / 'c.json').classes == ['animal', 'cat']


def coco(**image):
    return json.dumps(dict(images=[dict(dict(id=1, file_name='a.png'), **image), dict(id=2, file_name='b.png')]))


@pytest.mark.parametrize(('name', 'content', 'message'), [
    ('none.txt', None, 'none.txt does not exist. Give a folder'),
    ('a.png', '', 'is one image. Give the folder'),
    ('l.txt', ' \n', 'is empty. Expected a path a line'),
    ('l.txt', 'x.png 3\n', "none of its 1 names is a file: 'x.png 3'; the first is looked for as"),
    ('l.bin', 'a\0b', 'is no text'),
    ('c.json', '{', 'is not whole JSON'),
    ('c.json', '[]', 'is no COCO file: expected {"images"'),
    ('c.json', '{"images": []}', 'has no image'),
    ('c.json', coco(id=2), "image id 2 stands 2 times"),
    ('c.json', coco(id=None), 'expected a whole number or text as "id" of every image, found None in images[0]'),
    ('c.json', coco(id=True), 'as "id" of every image, found True in images[0]'),
    ('c.json', coco(file_name='./b.png'), "file_name 'b.png' stands 2 times"),
    ('c.json', coco(file_name=3), 'in 1 of its images the "file_name" is no text (images[0])'),
])
def test_what_cannot_work_is_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
        touch(tmp_path / 'b.png')
    with pytest.raises(InputError, match=re.escape(message)):
        find_images(tmp_path / name)


NEARLY = {
    'Windows': ('sub\\a 1.png', None, 'taken with slashes for backslashes'),
    'another Unicode form': ('sub/u\u0308.png', None, 'taken in another Unicode form'),
    'a folder left out': ('a 1.png', None, 'taken although folders are left out'),
    'another machine': ('/home/ann/pics/sub/a 1.png', 'suffix', 'taken by the rule suffix'),
    'another extension': ('sub/a 1.jpg', 'stem', 'taken by the rule stem'),
    'another case': ('SUB/A 1.PNG', 'case', 'taken by the rule case'),
}


@pytest.mark.parametrize('kind', ['list', 'COCO'])
@pytest.mark.parametrize('case', NEARLY)
def test_names_that_nearly_fit_are_taken_where_they_are_plain_or_a_rule_is_given(tmp_path, case, kind):
    name, rule, note = NEARLY[case]
    touch(tmp_path / 'sub' / 'a 1.png', tmp_path / 'sub' / 'ü.png', tmp_path / 'b.png')
    path = tmp_path / ('l.txt' if kind == 'list' else 'c.json')
    path.write_text(f'{name}\nb.png\n' if kind == 'list' else coco(file_name=name))
    image = 'sub/ü.png' if 'Unicode' in case else 'sub/a 1.png'
    if rule is not None:
        without = find_images(path)
        assert f"1 names in {path.name} are no file: {name!r}; the nearest is {image!r}: " in without.notes[0]
        assert without.notes[0].endswith(f'`--match {rule}` takes it')
    found = find_images(path, rules=parse_rules(rule, '--match'))
    assert {os.path.join(found.root, name) for name in found.names} == {
        str(tmp_path / image), str(tmp_path / 'b.png')}
    assert found.notes[0] == f'1 name {note} ({name!r} is {image!r})'
    if kind == 'COCO':
        assert found.ids == {image: 1, 'b.png': 2}


def test_where_no_name_is_a_file_the_nearest_is_said(tmp_path):
    touch(tmp_path / 'a.png', tmp_path / 'b.png')
    (tmp_path / 'l.txt').write_text('pics/a.png\npics/b.png\n')
    with pytest.raises(InputError, match="none of its 2 names is a file: 'pics/a.png'; the nearest is 'a.png': folder "
                                         'pics stands before it; .*`--match suffix` takes 2 of the 2'):
        find_images(tmp_path / 'l.txt')


def test_a_folder_without_images_says_what_it_holds(tmp_path):
    with pytest.raises(InputError, match='It holds no file at all'):
        find_images(tmp_path)
    touch(tmp_path / 'a.gif', tmp_path / 'c.gif', tmp_path / 'b')
    with pytest.raises(InputError, match='other kinds: 2 .gif, 1 no suffix'):
        find_images(tmp_path)
