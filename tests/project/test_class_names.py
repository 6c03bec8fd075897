import re

import pytest

from mmal.errors import InputError
from mmal.project.class_names import read_classes


def test_names_or_a_file_of_names(tmp_path):
    (tmp_path / 'c.txt').write_text('\ufeffcat\n\n traffic light \r\n', encoding='utf-8')
    assert read_classes([str(tmp_path / 'c.txt')]) == ['cat', 'traffic light']
    assert read_classes(['cat', 'dog']) == ['cat', 'dog']


@pytest.mark.parametrize(('given', 'message'), [
    ([], '--classes has no class name'), (['no.txt'], '--classes no.txt: there is no such file'),
    (['cat', 'cat'], "'cat' stands 2 times"), ([' '], "' ' is no class name"), (['a\nb'], 'is no class name'),
])
def test_what_is_no_list_of_names_is_refused(given, message):
    with pytest.raises(InputError, match=re.escape(message)):
        read_classes(given)
