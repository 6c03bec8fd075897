"""Names that nearly fit are taken where they can mean one image alone, and explained where they cannot."""

import time
import unicodedata

import pytest

from mmal.annotation.match_rules import MatchRule, parse_rules
from mmal.annotation.name_matching import NameIndex
from mmal.errors import InputError

CAFE = unicodedata.normalize('NFC', 'café/é.jpg')
CAFE_NFD = unicodedata.normalize('NFD', CAFE)
HASH = 'f588881eb2c2829187797d304e3a941d'

PLAIN = {
    'the same': (['a/1.jpg', '1.jpg'], '1.jpg', '1.jpg', None),
    'a dot': (['a/1.jpg'], './a//1.jpg', 'a/1.jpg', None),
    'folders left out': (['a/1.jpg', 'a/2.jpg'], '1.jpg', 'a/1.jpg', 'although folders are left out'),
    'NFD for NFC': ([CAFE], CAFE_NFD, CAFE, 'in another Unicode form'),
    'NFC for NFD': ([CAFE_NFD], CAFE, CAFE_NFD, 'in another Unicode form'),
    'backslashes': (['a/1.jpg'], 'a\\1.jpg', 'a/1.jpg', 'with slashes for backslashes'),
    'a file with a backslash in its name': (['a\\1.jpg'], 'a/1.jpg', 'a\\1.jpg', 'with slashes for backslashes'),
    'both are there': (['a\\1.jpg', 'a/1.jpg'], 'a\\1.jpg', 'a\\1.jpg', None),
    'a backslash and a folder left out': (['x/a/1.jpg'], 'a\\1.jpg', 'x/a/1.jpg', 'although folders are left out'),
}


@pytest.mark.parametrize('case', PLAIN)
def test_what_can_mean_one_image_alone_is_taken_and_said(case):
    images, name, image, note = PLAIN[case]
    matches = NameIndex(images).match([name])
    assert matches.names == {name: image}
    assert not matches.unmatched
    assert matches.notes == ([] if note is None else [f'1 name taken {note} ({name!r} is {image!r})'])


RULES = {
    'a folder before it': (['1.jpg', 'a/2.jpg'], 'train/1.jpg', '1.jpg', 'suffix',
                           'folder train stands before it'),
    'the longest name counts': (['1.jpg', 'a/1.jpg'], 'x/a/1.jpg', 'a/1.jpg', 'suffix', 'folder x stands before it'),
    'an absolute name': (['a/1.jpg', 'b/1.jpg'], '/home/me/b/1.jpg', 'b/1.jpg', 'suffix',
                         'an absolute name of another machine'),
    'an absolute name of Windows': (['a/1.jpg'], 'C:\\data\\a\\1.jpg', 'a/1.jpg', 'suffix',
                                    'an absolute name of another machine'),
    'a name that leads out': (['a/1.jpg'], '../../x/a/1.jpg', 'a/1.jpg', 'suffix', 'folder ../../x stands before it'),
    'another folder': (['a/1.jpg', 'a/2.jpg'], 'b/1.jpg', 'a/1.jpg', 'basename', 'another folder'),
    'an absolute name in another folder': (['a/1.jpg'], '/home/b/1.jpg', 'a/1.jpg', 'basename',
                                           'an absolute name of another machine'),
    'another case': (['a/img_1.jpg'], 'A/IMG_1.JPG', 'a/img_1.jpg', 'case', 'differs in case'),
    'another case, no folder': (['a/img_1.jpg'], 'IMG_1.jpg', 'a/img_1.jpg', 'case', 'differs in case'),
    'another extension': (['a/1.png'], 'a/1.jpg', 'a/1.png', 'stem', 'another extension'),
    'no extension': (['a/scene.v2.png'], 'scene.v2', 'a/scene.v2.png', 'stem', 'another extension'),
    'an upload': (['a/my 1.jpg'], 'images/3f2a9c10-my_1.jpg', 'a/my 1.jpg', 'label-studio',
                  'Label Studio put 3f2a9c10- before it'),
    'an upload on Windows': (['1.jpg'], '..\\..\\media\\upload\\4\\cb0618f6-1.jpg', '1.jpg', 'label-studio',
                             'Label Studio put cb0618f6- before it'),
    'an upload of a date': (['20230101-1.jpg', '20230102-1.jpg'], '3f2a9c10-20230102-1.jpg', '20230102-1.jpg',
                            'label-studio', 'Label Studio put 3f2a9c10- before it'),
    'an image that was uploaded': (['3f2a9c10-1.jpg'], '1.jpg', '3f2a9c10-1.jpg', 'label-studio',
                                   'Label Studio put 3f2a9c10- before it'),
    'local files': (['a/1.jpg'], '/data/local-files/?d=x%2Fa%2F1.jpg', 'a/1.jpg', 'label-studio',
                    'Label Studio renamed it'),
    'Roboflow': (['a/1.jpg', 'a/11.jpg'], f'1_jpg.rf.{HASH}.jpg', 'a/1.jpg', 'roboflow', 'Roboflow renamed it'),
    'Roboflow of a name with numbers': (['IMG_3147.jpeg'], f'IMG_3147_jpeg_jpg.rf.{HASH}.jpg', 'IMG_3147.jpeg',
                                        'roboflow', 'Roboflow renamed it'),
    'Roboflow of a capital extension': (['DJI_0097_Z.JPG'], f'DJI_0097_Z_JPG.rf.{HASH}.jpg', 'DJI_0097_Z.JPG',
                                        'roboflow', 'Roboflow renamed it'),
    'Roboflow of odd characters': (['images (12).png'], f'images--12-_png.rf.{HASH}.jpg', 'images (12).png',
                                   'roboflow', 'Roboflow renamed it'),
    'images from Roboflow': ([f'train/1_jpg.rf.{HASH}.jpg'], '1.jpg', f'train/1_jpg.rf.{HASH}.jpg', 'roboflow',
                             'Roboflow renamed it'),
    'case and extension': (['a/img.jpg'], 'IMG.PNG', 'a/img.jpg', 'case,stem', 'differs in case, another extension'),
    'folder and extension': (['a/1.jpg'], 'b/1.png', 'a/1.jpg', 'stem,basename', 'another extension, another folder'),
}


@pytest.mark.parametrize('case', RULES)
def test_a_rule_takes_what_is_advised_and_nothing_is_taken_without_it(case):
    images, name, image, rules, difference = RULES[case]
    index = NameIndex(images)
    without = index.match([name])
    assert without.names == {}
    assert without.unmatched == [name]
    assert without.near[name] == f'; the nearest is {image!r}: {difference}'
    assert without.advice() == f'`--match {rules}` takes it.'
    matches = index.match([name], parse_rules(rules, '--match'))
    assert matches.names == {name: image}
    assert not matches.unmatched
    assert matches.notes == [f'1 name taken by the rule {rules} ({name!r} is {image!r})']


AMBIGUOUS = {
    'no folder': (['a/1.jpg', 'b/1.jpg'], ['1.jpg'], (),
                  "; it has no folder, and 2 images are called so: 'a/1.jpg', 'b/1.jpg'"),
    'too few folders': (['x/a/1.jpg', 'y/a/1.jpg'], ['a/1.jpg'], (),
                        "; 2 images have names that end so: 'x/a/1.jpg', 'y/a/1.jpg'"),
    'two of one basename': (['a/1.jpg', 'b/1.jpg'], ['c/1.jpg'], ('basename',), None),
    'two of one stem': (['1.jpg', '1.png'], ['1.bmp'], ('stem',), None),
    'two of one case': (['A.jpg', 'a.JPG'], ['a.jpg'], ('case',), None),
    'a root image is no better by basename': (['1.jpg', 'b/1.jpg'], ['c/1.jpg'], ('basename',), None),
    'two Unicode forms': ([CAFE, CAFE_NFD], [CAFE.replace('/', '\\')], (),
                          f"; 2 images have names that end so: {CAFE!r}, {CAFE_NFD!r}"),
    'two names of one image': (['a/1.jpg'], ['b/1.jpg', 'c/1.jpg'], ('basename',),
                               "; it comes near to 'a/1.jpg', and so does 'c/1.jpg'"),
    'augmented by Roboflow': (['1.jpg'], [f'1_jpg.rf.{HASH}.jpg', f'1_jpg.rf.{HASH[::-1]}.jpg'], ('roboflow',),
                              f"; it comes near to '1.jpg', and so does '1_jpg.rf.{HASH[::-1]}.jpg' (export a "
                              'version of the Roboflow project without augmentation)'),
}


@pytest.mark.parametrize('case', AMBIGUOUS)
def test_what_may_mean_two_is_not_taken(case):
    images, names, rules, near = AMBIGUOUS[case]
    matches = NameIndex(images).match(names, parse_rules(rules, '--match'))
    assert matches.names == {}
    assert matches.unmatched == names
    if near is not None:
        assert matches.near[names[0]] == near


def test_a_name_of_its_own_keeps_its_image_from_names_that_come_near():
    matches = NameIndex(['a/1.jpg']).match(['b/1.jpg', 'a/1.jpg'], [MatchRule.BASENAME])
    assert matches.names == {'a/1.jpg': 'a/1.jpg'}
    assert matches.near == {'b/1.jpg': "; it comes near to 'a/1.jpg', and so does 'a/1.jpg'"}


def test_the_rule_that_takes_most_is_advised_with_those_that_were_given():
    index = NameIndex([f'{n}.jpg' for n in range(6)])
    names = ['x/0.jpg', '1.JPG', '2.JPG', 'zzz.jpg']
    assert index.match(names).advice() == '`--match suffix,case` takes 3 of the 4.'
    again = index.match(names, [MatchRule.CASE])
    assert again.unmatched == ['x/0.jpg', 'zzz.jpg']
    assert again.advice() == '`--match suffix,case` takes 1 of the 2.'
    assert again.advice('train_cfg.match=') == "`train_cfg.match='suffix,case'` takes 1 of the 2."
    assert again.near['x/0.jpg'] == "; the nearest is '0.jpg': folder x stands before it"


def test_names_that_are_spelled_alike_are_shown_and_nothing_is_advised():
    matches = NameIndex([f'img_{n:04d}.jpg' for n in range(5000)]).match(['img_77777.jpg', 'nothing'])
    assert matches.near['img_77777.jpg'].startswith("; spelled alike: 'img_")
    assert matches.near['nothing'] == ''
    assert matches.advice() == ''


def test_nothing_to_find_them_in():
    matches = NameIndex([]).match(['1.jpg', ''])
    assert matches.unmatched == ['1.jpg', '']
    assert matches.advice() == ''


def test_rivals_of_one_image_take_the_time_of_their_number():
    names = [f'{n}/1.jpg' for n in range(20_000)]
    begin = time.process_time()
    near = NameIndex(['a/1.jpg']).match(names, [MatchRule.BASENAME]).near['0/1.jpg']
    assert near.startswith("; it comes near to 'a/1.jpg', and so does '1/1.jpg', '2/1.jpg'")
    assert near.endswith(', ...')
    assert time.process_time() - begin < 5


@pytest.mark.parametrize('name', ['', '/', '.', '..', '\\', 'C:\\', '../..', '\0', 'é' * 300])
def test_odd_names_mean_nothing(name):
    matches = NameIndex(['a/1.jpg']).match([name], tuple(MatchRule))
    assert matches.names == {}


@pytest.mark.parametrize(('names', 'shown'), [('fuzzy', "'fuzzy'"), ('case,fuzzy', "'fuzzy'"), (5, '5'),
                                              (['case', ['stem']], r"\['stem'\]")])
def test_an_unknown_rule_is_refused_with_those_there_are(names, shown):
    with pytest.raises(InputError, match=f'train_cfg.match: expected some of suffix, case.*, got {shown}'):
        parse_rules(names, 'train_cfg.match')


@pytest.mark.parametrize('names', ['stem,case', 'case, stem', ['stem', 'case'], ('case', 'stem')])
def test_rules_are_named_in_any_order(names):
    assert parse_rules(names, '--match') == (MatchRule.CASE, MatchRule.STEM)


def test_what_it_takes_grows_with_the_number_of_names_and_not_with_its_square():
    n_names = 20_000
    images = [f'folder_{n % 100}/image_{n}.jpg' for n in range(n_names)]
    index = NameIndex(images)
    names = [f'/data/{image}' for image in images]
    begin = time.process_time()
    assert index.match(names).advice() == '`--match suffix` takes 1000 of the first 1000.'
    assert len(index.match(names, [MatchRule.SUFFIX]).names) == n_names
    assert len(index.match([f'none_{n}.png' for n in range(n_names)]).unmatched) == n_names
    alike = [f'{n}/image.jpg' for n in range(n_names)]
    assert len(NameIndex(alike).match([f'x/{name}' for name in alike], tuple(MatchRule)).names) == n_names
    assert time.process_time() - begin < 20
