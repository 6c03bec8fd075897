"""Files of labeled images that a selection is given, as mmpretrain's users have them."""

import json

import pytest

from mmal.adapters.classification.listing import _read_entries
from mmal.errors import InputError


@pytest.fixture
def entries(tmp_path):
    def read(content, are_named=True):
        (tmp_path / 'labels.json').write_text(json.dumps(content))
        return _read_entries(tmp_path / 'labels.json', are_named)

    return read


def test_indices_are_of_the_order_that_the_file_itself_names(entries):
    listed = dict(metainfo=dict(classes=['dog', 'cat']), data_list=[
        dict(img_path='a.jpg', gt_label=0), dict(img_path='b.jpg', gt_label=[1, 0])])
    assert entries(listed) == [('a.jpg', 'dog'), ('b.jpg', ['cat', 'dog'])]
    assert entries(listed, are_named=False) == [('a.jpg', 0), ('b.jpg', [1, 0])]
    assert entries([dict(id='a.jpg', label=1)]) == [('a.jpg', 1)]


def test_an_id_that_is_no_path_is_refused(entries):
    with pytest.raises(InputError, match='5 is no path'):
        entries([dict(id=5, label=0)])
