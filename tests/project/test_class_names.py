import re

import pytest

from mmal.errors import InputError
from mmal.project.class_names import read_classes, require_class_names


def test_names_or_a_file_of_names(tmp_path):
    (tmp_path / 'c.txt').write_text('\ufeffcat\n\n traffic light \r\n', encoding='utf-8')
    assert read_classes([str(tmp_path / 'c.txt')]) == ['cat', 'traffic light']
    assert read_classes(['cat', 'dog']) == ['cat', 'dog']


@pytest.mark.parametrize(('words', 'names'), [
    (['cat,dog'], ['cat', 'dog']), (['cat,', 'dog'], ['cat', 'dog']), (['cat, dog'], ['cat', 'dog']),
    (['cat', ',', 'dog'], ['cat', 'dog']), (['cat', ',dog'], ['cat', 'dog']), (['cat,dog,'], ['cat', 'dog']),
    (['traffic light', 'dog'], ['traffic light', 'dog']), (['traffic light, dog'], ['traffic light', 'dog'])])
def test_commas_divide_names_of_a_command_line_as_spaces_do(words, names):
    assert read_classes(words) == names


def test_a_name_with_a_comma_in_it_stands_in_a_file_or_in_the_labels(tmp_path):
    (tmp_path / 'c.TXT').write_text('cup, blue\ncup, red\n')
    assert read_classes([str(tmp_path / 'c.TXT')]) == ['cup, blue', 'cup, red']
    assert require_class_names(['cup, blue', 'cup, red'], 'labels.json') == ['cup, blue', 'cup, red']


@pytest.mark.parametrize(('given', 'message'), [
    ([], '--classes has no class name'), (['no.txt'], '--classes no.txt: there is no such file'),
    (['cat', 'cat'], "'cat' stands 2 times"), (['cat,cat'], "--classes: 'cat' stands 2 times"),
    ([','], '--classes has no class name'),
    (['traffic', 'light,', 'dog'], '--classes traffic light, dog: commas and spaces both divide names here'),
    ([' '], "' ' is no class name"), (['a\nb'], 'is no class name'),
])
def test_what_is_no_list_of_names_is_refused(given, message):
    with pytest.raises(InputError, match=re.escape(message)):
        read_classes(given)
